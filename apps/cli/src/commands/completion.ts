import type { GroupSummary, ListedTopic, Page, ServiceSummary } from '@millrace/admin';
import { isName } from '@millrace/core';
import { Argument } from 'commander';
import { setTimeout as wait } from 'node:timers/promises';
import { type Candidates, candidatesFor, type NameKind } from '../completion/candidates.js';
import { SCRIPTS } from '../completion/scripts.js';
import { type ConnectionOptions, operatorFor } from '../connection/connection.js';
import { readContexts } from '../connection/contexts.js';
import type { Operator } from '../operator/operator.js';
import type { CommandSpec } from '../session/command-spec.js';
import type { Session } from '../session/session.js';

/** Nobody waits longer for the names behind a key. */
const LIMIT_MS = 2_000;
const MOST = 500;
const CONNECTION = /^--(url|token|redis|prefix|context)(?:=([^]*))?$/;

export const completion: CommandSpec = {
  name: 'completion',
  summary: 'Print the script that lets a shell complete commands, options and names.',
  args: [new Argument('<shell>', 'the shell').choices(Object.keys(SCRIPTS))],
  examples: ['millrace completion bash > ~/.local/share/bash-completion/completions/millrace'],
  help: 'Bash: source <(millrace completion bash). Zsh: source <(millrace completion zsh). Fish: millrace completion fish | source',
  run: (session) => {
    session.output.data(SCRIPTS[session.arg(0) as keyof typeof SCRIPTS]);
    return Promise.resolve();
  },
};

export const complete: CommandSpec = {
  name: 'complete',
  summary: 'Print the words that may come next on a command line, for the scripts of shells.',
  args: ['[words...]'],
  isHidden: true,
  examples: ['millrace complete -- topics info shop.'],
  run: async (session) => {
    const words = (session.invocation.args[0] ?? []) as readonly string[];
    const { words: found, ...rest } = candidatesFor(session.invocation.program, words);
    const names = rest.names === null ? [] : await namesOf(session, words, { ...rest, names: rest.names });
    const current = words.at(-1) ?? '';
    // A shell may take a name for more than a word: those that Millrace would not make are left out.
    const fitting = names.filter((name) => isName(name) && name.startsWith(current));
    for (const word of [...found, ...fitting]) session.output.data(`${word}\n`);
  },
};

type Named = Pick<Candidates, 'args'> & { readonly names: NameKind };

/** Nothing where nobody answers soon: whoever presses a key wants no error there, and asks by another command. */
async function namesOf(session: Session, words: readonly string[], { names, args }: Named): Promise<readonly string[]> {
  const { surroundings } = session;
  if (names === 'context') return Object.keys(readContexts(surroundings.env).contexts);
  let operator: Operator | null = null;
  try {
    operator = operatorFor(connectionIn(words), surroundings);
    const late = wait(LIMIT_MS, [], { ref: false });
    return await Promise.race([ASK[names](operator, args, words.at(-1) ?? ''), late]);
  } catch {
    return [];
  } finally {
    await operator?.close();
  }
}

const ASK: Readonly<Record<Exclude<NameKind, 'context'>, (operator: Operator, args: readonly string[], current: string) => Promise<readonly string[]>>> = {
  topic: async (operator, _args, current) => {
    const { items } = await page<ListedTopic>(operator.run('topics.list', {}, { limit: MOST, ...(current === '' ? {} : { prefix: current }) }));
    return items.map(({ name }) => name);
  },
  group: async (operator, args) => {
    const { items } = await page<GroupSummary>(operator.run('groups.list', { topic: args.at(-1) ?? '' }, { limit: MOST }));
    return items.map(({ group }) => group);
  },
  service: async (operator) => {
    const { items } = await page<ServiceSummary>(operator.run('services.list', {}, { limit: MOST }));
    return [...new Set(items.map(({ service }) => service))];
  },
};

async function page<T>(answer: Promise<unknown>): Promise<Pick<Page<T>, 'items'>> {
  return (await answer) as Page<T>;
}

/** Whom the command line that is being typed would ask. */
function connectionIn(words: readonly string[]): ConnectionOptions {
  const found = words.slice(0, -1).flatMap((word, index) => {
    const [, name, value = words[index + 1]] = CONNECTION.exec(word) ?? [];
    return name === undefined || value === undefined ? [] : [[name, value] as const];
  });
  return Object.fromEntries(found);
}
