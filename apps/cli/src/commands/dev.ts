import { mkdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import type { LocalServer } from '@millrace/redis';
import { asError, isMillraceError, MillraceError } from '@millrace/core';
import { Option } from 'commander';
import { CliError } from '../failure/cli-error.js';
import { TEXT } from '../output/humanise.js';
import type { Shape } from '../output/output.js';
import type { CommandSpec } from '../session/command-spec.js';
import { whole } from '../session/common-options.js';
import type { Session } from '../session/session.js';
import { type Holder, ProcessLock } from '../surroundings/process-lock.js';
import { become, hostFor } from './hosts.js';

const NO_SERVER =
  'There is no redis-server or valkey-server on the PATH. Install Redis 7.0 or newer, such as by apt-get install redis-server or brew install redis, and run it again.';

interface DevOptions {
  readonly app?: string;
  readonly port?: number;
  readonly data?: string;
}

/** The lines for `.env`, by their variables. */
interface Addresses {
  readonly redis: string;
  /** Null without an application. */
  readonly server: string | null;
}

/** Each of its lines may stand in a file `.env`, or be run by a shell. */
const ADDRESSES: Shape<Addresses> = {
  id: ({ redis }) => redis,
  columns: [
    { title: 'redis', form: TEXT, of: ({ redis }) => redis },
    { title: 'server', form: TEXT, of: ({ server }) => server },
  ],
};

export const dev: CommandSpec = {
  name: 'dev',
  summary: 'Run a Redis for development, and the server beside an application.',
  options: [
    new Option('--app <file>', 'the JavaScript file that exports your application module (MILLRACE_APP); without one there is Redis alone'),
    new Option('--port <n>', 'the port of Redis; default: a free one').argParser(whole(1, 65_535)),
    new Option('--data <folder>', 'keep the data there; default: a temporary folder, which goes when this ends'),
  ],
  isHost: true,
  help: `It starts redis-server or valkey-server from the PATH, with appendonly yes and maxmemory-policy noeviction, on 127.0.0.1
alone, and prints the lines for .env. The server is that of millrace server: MILLRACE_PORT is its port, 3000 by default. Ctrl-C ends
both; when one of them dies, so does the other. A folder of --data is for one at a time.`,
  examples: ['millrace dev', 'millrace dev --app dist/app.module.js --port 6379 --data .millrace'],
  run: async (session) => {
    const { app, prefix } = session.options<DevOptions>();
    const isServed = app !== undefined || Boolean(session.surroundings.env['MILLRACE_APP']?.trim());
    const host = isServed ? await hostFor(session, '@millrace/server') : null;
    const redis = await startRedis(session);
    try {
      const server = host === null ? null : serverUrl(session.surroundings.env);
      tell(session, { redis: redis.url, server });
      const served = host === null ? interrupted(session.signal) : become(host, { redis: redis.url, prefix });
      await Promise.race([served, death(redis)]);
    } finally {
      await redis.stop();
    }
  },
};

/** @throws MillraceError REDIS_NOT_FOUND, PORT_IN_USE, REDIS_FAILED, REDIS_UNSUPPORTED */
async function startRedis(session: Session): Promise<LocalServer> {
  const { LocalServer, serverBinaries } = await import('@millrace/redis');
  const { port, data } = session.options<DevOptions>();
  const { env } = session.surroundings;
  const [binary] = await serverBinaries(env);
  if (binary === undefined) {
    throw new MillraceError('REDIS_NOT_FOUND', NO_SERVER);
  }
  const kept = data === undefined ? {} : { data: await ownFolder(data) };
  try {
    return await LocalServer.start({ binary, env, appendonly: 'everysec', ...kept, ...(port === undefined ? {} : { port }) });
  } catch (error) {
    if (port === undefined || !isMillraceError(error) || !/Address already in use/.test(error.message)) throw error;
    throw new MillraceError('PORT_IN_USE', `Port ${port} of 127.0.0.1 is in use. End what listens there, or say another --port.`, { cause: error });
  }
}

/**
 * The folder, which is this process's until it ends: two Redises that write the same files lose data.
 *
 * @throws CliError USAGE, REFUSED
 */
async function ownFolder(path: string): Promise<string> {
  const { folder, lock, taken } = await lockedFolder(path).catch((thrown: unknown): never => {
    throw new CliError('USAGE', `--data names ${path}, which cannot be a folder of data: ${asError(thrown).message}. Say another one.`);
  });
  if (taken instanceof ProcessLock) return folder;
  const who = taken.pid === null ? 'another millrace dev' : `process ${taken.pid}, another millrace dev`;
  throw new CliError('REFUSED', `${folder} is in use by ${who}. Two Redises on one folder would lose data: end that one, or say another --data. If it is none, remove ${lock}.`);
}

async function lockedFolder(path: string): Promise<{ folder: string; lock: string; taken: ProcessLock | Holder }> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  const folder = await realpath(path);
  const lock = join(folder, 'millrace-dev.lock');
  return { folder, lock, taken: ProcessLock.take(lock) };
}

/** Lines for `.env` where people read; they are data, so nothing else is among them. */
function tell({ output }: Session, addresses: Addresses): void {
  if (!output.isForPeople) return output.record(addresses, ADDRESSES);
  const { redis, server } = addresses;
  output.data(`REDIS_URL=${redis}\n${server === null ? '' : `MILLRACE_URL=${server}\n`}`);
  output.note(`Redis is at ${redis}${server === null ? '' : `, the server at ${server}`}. Put the lines above into .env. Ctrl-C ends it.`);
}

function serverUrl(env: NodeJS.ProcessEnv): string {
  return `http://${env['MILLRACE_HOST']?.trim() || '127.0.0.1'}:${env['MILLRACE_PORT']?.trim() || '3000'}`;
}

async function interrupted(signal: AbortSignal): Promise<void> {
  // A listener alone keeps no process alive.
  const alive = setInterval(() => undefined, 60_000);
  if (!signal.aborted) await new Promise((resolve) => signal.addEventListener('abort', resolve, { once: true }));
  clearInterval(alive);
}

/** @throws CliError REDIS_UNREACHABLE when it has ended */
async function death(redis: LocalServer): Promise<never> {
  const how = await redis.ended;
  throw new CliError('REDIS_UNREACHABLE', `Redis ${how}, so all ends here. Run millrace dev again.`);
}
