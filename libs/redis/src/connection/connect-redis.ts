import { MillraceError, quote } from '@millrace/core';
import { openConnection } from './open-connection.js';
import type { RedisConnection } from './redis-connection.js';
import { RedisFailure, redisFailure } from './redis-failure.js';
import type { RedisTarget } from './redis-target.js';
import { assertRedisUrl, maskUrl } from './redis-url.js';
import { readServerFacts } from './server-facts.js';
import { type OpenConnection, StandaloneTopology } from './standalone-topology.js';

const BOOT_TIMEOUT_MS = 5_000;
/** How often, while connecting, it is checked whether the attempts can succeed at all. */
const LOOK_EVERY_MS = 50;

export interface RedisConnectOptions extends RedisTarget {
  /** Shown by `CLIENT LIST`: 1 to 100 visible ASCII characters. Default `millrace`. */
  readonly name?: string;
}

/**
 * Connects to Redis and checks that it can be used.
 *
 * @throws MillraceError INVALID_OPTIONS: the URL, its database, or the name
 * @throws MillraceError REDIS_UNREACHABLE nothing answers within 5 seconds, or the server is no Redis
 * @throws MillraceError REDIS_FAILED Redis refuses the user: the password or the permissions
 * @throws MillraceError REDIS_UNSUPPORTED below Redis 7.0, a node of a Cluster, a Sentinel, or a replica
 */
export async function connectRedis(options: RedisConnectOptions): Promise<StandaloneTopology> {
  const { url, tls, name = 'millrace' } = options;
  assertRedisUrl(url);
  assertName(name);
  const target = { url, ...(tls ? { tls } : {}) };
  const open: OpenConnection = (purpose, profile) => openConnection(target, `${name}:${purpose}`, profile);
  const opened = { publish: open('publish', 'publish'), control: open('control', 'control') };
  try {
    await Promise.all([untilReady(opened.control, url), untilReady(opened.publish, url)]);
    // Before the database: a Sentinel and a Cluster have none, and the error is to say that it is one of them.
    const facts = await readServerFacts(opened.control, maskUrl(url));
    await assertDatabase(opened.control, url);
    return new StandaloneTopology(open, facts, opened);
  } catch (error) {
    opened.control.close();
    opened.publish.close();
    throw error;
  }
}

function assertName(name: unknown): void {
  if (typeof name === 'string' && /^[!-~]{1,100}$/.test(name)) return;
  throw new MillraceError('INVALID_OPTIONS', `${quote(name)} cannot be the name of connections: use 1 to 100 visible ASCII characters.`);
}

async function untilReady(connection: RedisConnection, url: string): Promise<void> {
  const end = performance.now() + BOOT_TIMEOUT_MS;
  while (!(await connection.whenReady(LOOK_EVERY_MS))) {
    const { lastError } = connection;
    if (lastError) assertMaySucceed(lastError, url);
    if (performance.now() >= end) throw unreachable(url, lastError);
  }
}

/** Some failures are the same at every attempt: then waiting helps nobody. */
function assertMaySucceed(lastError: Error, url: string): void {
  const failure = redisFailure(lastError, 'Connecting');
  if (failure.kind === 'fatal') {
    throw new RedisFailure('fatal', `Redis at ${maskUrl(url)} refuses the connection: ${lastError.message}. Check the user and the password.`, lastError);
  }
  if (UNTRUSTED.test(lastError.message)) throw untrusted(url, lastError);
  if (/Please report this/.test(lastError.message)) {
    throw new MillraceError('REDIS_UNREACHABLE', `The server at ${maskUrl(url)} is no Redis. Set REDIS_URL, or the option redis, to one.`, { cause: lastError });
  }
}

/** OpenSSL's words for a certificate that is not to be trusted, and for a server that does not speak TLS. */
const UNTRUSTED = /certificate|altnames|:SSL routines:/i;

function untrusted(url: string, lastError: Error): MillraceError {
  const advice =
    'Name the authority that signed its certificate (MILLRACE_REDIS_CA, or tls.ca in the options), the name in the certificate ' +
    '(tls.servername), or the certificate that the server asks for (tls.cert and tls.key); without TLS write redis://.';
  const message = `The Redis at ${maskUrl(url)} and this process do not trust each other: ${lastError.message}. ${advice}`;
  return new MillraceError('REDIS_UNREACHABLE', message, { cause: lastError });
}

function unreachable(url: string, lastError: Error | null): MillraceError {
  const message = `No Redis answers at ${maskUrl(url)} within ${BOOT_TIMEOUT_MS / 1000} s. ${guessOf(url, lastError)} ${START_ONE}`;
  return new MillraceError('REDIS_UNREACHABLE', message, { cause: lastError ?? undefined, retryable: true });
}

const START_ONE = 'Start one there, or set REDIS_URL, or the option redis, to where one is.';

function guessOf(url: string, lastError: Error | null): string {
  if (lastError === null) return 'It takes connections, but is not ready: it may be loading its data.';
  const said = `The last attempt said: ${lastError.message}.`;
  if (url.startsWith('rediss:') && lastError.message.includes('ETIMEDOUT')) return `${said} If the server there does not speak TLS, write redis://.`;
  if (lastError.message.startsWith('Connection is closed')) return `${said} If the server there is no Redis, give another address.`;
  return said;
}

/** A connection whose database is not there would go on with number 0. */
async function assertDatabase(connection: RedisConnection, url: string): Promise<void> {
  const database = url.startsWith('unix:') ? '' : new URL(url).pathname.slice(1);
  if (database === '') return;
  try {
    await connection.call('SELECT', database);
  } catch (thrown) {
    const cause = redisFailure(thrown, 'SELECT');
    if (cause.kind !== 'unknown') throw cause;
    throw new MillraceError('INVALID_OPTIONS', `Redis at ${maskUrl(url)} has no database ${database}. Use another number, or none.`, { cause });
  }
}
