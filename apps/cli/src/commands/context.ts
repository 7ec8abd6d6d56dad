import { isName, knownHint } from '@millrace/core';
import { Option } from 'commander';
import { changeContexts, type Context, type Contexts, readContexts } from '../connection/contexts.js';
import { serverAt } from '../connection/connection.js';
import { CliError, usage } from '../failure/cli-error.js';
import { TEXT, YES_NO } from '../output/humanise.js';
import type { Shape } from '../output/output.js';
import type { CommandGroup, CommandSpec } from '../session/command-spec.js';
import type { Session } from '../session/session.js';
import { typedLine } from '../session/typed-line.js';

/** A context as it is shown: with no token and no password. */
interface ShownContext {
  readonly name: string;
  readonly inUse: boolean;
  readonly url: string | null;
  readonly redis: string | null;
  readonly prefix: string | null;
  readonly hasToken: boolean;
}

const CONTEXTS: Shape<ShownContext> = {
  id: ({ name }) => name,
  columns: [
    { title: 'context', form: TEXT, of: ({ name }) => name },
    { title: 'in use', form: YES_NO, of: ({ inUse }) => inUse },
    { title: 'server', form: TEXT, of: ({ url }) => url },
    { title: 'redis', form: TEXT, of: ({ redis }) => redis },
    { title: 'prefix', form: TEXT, of: ({ prefix }) => prefix },
    { title: 'token', form: YES_NO, of: ({ hasToken }) => hasToken },
  ],
};

const add: CommandSpec = {
  name: 'add',
  summary: 'Keep a server, or a Redis, under a name.',
  args: ['<name>'],
  options: [new Option('--use', 'use it from now on where nothing else is said')],
  help: `It is said by --url with --token, or by --redis; --prefix belongs to a Redis. With --token - the token is read from standard
input, so that no list of processes and no history of a shell has it. The file is for you alone to read.`,
  examples: ['millrace context add staging --url https://staging.example --token - --use', 'millrace context add local --redis redis://127.0.0.1:6379'],
  run: async (session) => {
    const name = session.arg(0);
    if (!isName(name)) throw usage('The name of a context has 1 to 128 of the characters A-Z a-z 0-9 . _ -, and begins with a letter or a digit.');
    // Before a token is asked for.
    assertFree(readContexts(session.surroundings.env), name);
    const added = await contextIn(session);
    const { use: isUsed } = session.options<{ use?: boolean }>();
    await change(session, name, (contexts) => {
      assertFree(contexts, name);
      return { current: isUsed ? name : contexts.current, contexts: { ...contexts.contexts, [name]: added } };
    });
  },
};

const ls: CommandSpec = {
  name: 'ls',
  summary: 'List the contexts, without their tokens and passwords.',
  examples: ['millrace context ls'],
  run: async (session) => {
    const contexts = readContexts(session.surroundings.env);
    const items = await Promise.all(Object.keys(contexts.contexts).sort().map((name) => shown(contexts, name)));
    session.output.list({ items }, CONTEXTS);
  },
};

const use: CommandSpec = {
  name: 'use',
  summary: 'Use a context from now on where nothing else is said.',
  args: ['<context>'],
  examples: ['millrace context use staging'],
  run: async (session) => {
    const name = session.arg(0);
    await change(session, name, (contexts) => {
      assertKnown(contexts, name);
      return { ...contexts, current: name };
    });
  },
};

const rm: CommandSpec = {
  name: 'rm',
  summary: 'Forget a context.',
  args: ['<context>'],
  examples: ['millrace context rm staging'],
  run: async (session) => {
    const name = session.arg(0);
    let removed = {};
    const { current } = await changeContexts(session.surroundings.env, (contexts) => {
      assertKnown(contexts, name);
      const { [name]: gone, ...rest } = contexts.contexts;
      removed = { [name]: gone };
      return { current: contexts.current === name ? null : contexts.current, contexts: rest };
    });
    session.output.record(await shown({ current, contexts: removed }, name), CONTEXTS);
  },
};

export const context: CommandGroup = { name: 'context', summary: 'Servers and Redises by names.', commands: [add, ls, use, rm] };

/** @throws CliError USAGE; MillraceError INVALID_OPTIONS, INVALID_NAME */
async function contextIn(session: Session): Promise<Context> {
  const { url, redis, prefix, token } = session.options();
  if ((url === undefined) === (redis === undefined)) throw usage('Say --url or --redis, and one of them alone. See millrace context add --help.');
  if (url !== undefined) {
    if (prefix !== undefined) throw usage('--prefix belongs to a Redis: the server knows its own. Leave it out.');
    const server = serverAt(url, token === '-' ? await tokenTyped(session) : (token ?? null));
    return { url: server.url, ...(server.token === null ? {} : { token: server.token }) };
  }
  if (token !== undefined) throw usage('--token belongs to a server. A Redis has its password in its URL.');
  const check: (url: unknown) => void = (await import('@millrace/redis')).assertRedisUrl;
  check(redis);
  if (prefix !== undefined && !isName(prefix)) throw usage('A key prefix has 1 to 128 of the characters A-Z a-z 0-9 . _ -, and begins with a letter or a digit.');
  return { redis: redis!, ...(prefix === undefined ? {} : { prefix }) };
}

async function tokenTyped({ surroundings }: Session): Promise<string> {
  // A terminal would show it.
  const token = surroundings.stdin.isTTY ? null : await typedLine('', surroundings);
  if (token) return token;
  throw usage('There is no token on standard input. Give it as one line of a pipe or a file, as < token.txt');
}

/** @throws CliError REFUSED */
function assertFree({ contexts }: Contexts, name: string): void {
  if (!Object.hasOwn(contexts, name)) return;
  throw new CliError('REFUSED', `There is a context ${name} already. Remove it first: millrace context rm ${name}`);
}

/** @throws CliError NOT_FOUND */
function assertKnown({ contexts }: Contexts, name: string): void {
  if (Object.hasOwn(contexts, name)) return;
  throw new CliError('NOT_FOUND', `There is no context ${name}${knownHint(name, Object.keys(contexts))} See millrace context ls.`);
}

/** Changes the list, and shows the context of this name. */
async function change({ output, surroundings }: Session, name: string, to: (contexts: Contexts) => Contexts): Promise<void> {
  output.record(await shown(await changeContexts(surroundings.env, to), name), CONTEXTS);
}

async function shown({ current, contexts }: Contexts, name: string): Promise<ShownContext> {
  const { maskUrl } = await import('@millrace/redis');
  const { url = null, redis = null, prefix = null, token } = contexts[name]!;
  const masked = (place: string | null): string | null => (place === null ? null : maskUrl(place));
  return { name, inUse: current === name, url: masked(url), redis: masked(redis), prefix, hasToken: token !== undefined };
}
