import { MillraceError } from '@millrace/core';
import type { ServerConnection } from '../connection/server-connection.js';
import { RedisFailure, redisFailure } from '../connection/redis-failure.js';

/** How long a start waits for connections. */
export const BOOT_TIMEOUT_MS = 5_000;
/** How often, while connecting, it is checked whether the attempts can succeed at all. */
const LOOK_EVERY_MS = 50;

/**
 * Waits until a connection is ready.
 *
 * @param where the address, without a password, for the words of errors
 * @throws MillraceError REDIS_UNREACHABLE nothing answers within 5 seconds, or the server is no Redis, or is not trusted
 * @throws MillraceError REDIS_FAILED Redis refuses the user: the password or the permissions
 */
export async function untilReady(connection: ServerConnection, where: string): Promise<void> {
  const end = performance.now() + BOOT_TIMEOUT_MS;
  while (!(await connection.whenReady(LOOK_EVERY_MS))) {
    const { lastError } = connection;
    if (lastError) assertMaySucceed(lastError, where);
    if (performance.now() >= end) throw unreachable(where, lastError);
  }
}

/**
 * Some failures are the same at every attempt: then waiting helps nobody.
 *
 * @throws MillraceError REDIS_FAILED, REDIS_UNREACHABLE
 */
export function assertMaySucceed(lastError: Error, where: string): void {
  assertSentinelsMayName(lastError, where);
  const failure = redisFailure(lastError, 'Connecting');
  if (failure.kind === 'fatal') {
    throw new RedisFailure('fatal', `Redis at ${where} refuses the connection: ${lastError.message}. Check the user and the password.`, lastError);
  }
  if (UNTRUSTED.test(lastError.message)) throw untrusted(where, lastError);
  if (/Please report this/.test(lastError.message)) {
    throw new MillraceError('REDIS_UNREACHABLE', `The server at ${where} is no Redis. Set REDIS_URL, or the option redis, to one.`, { cause: lastError });
  }
}

/** Their addresses, each with what it said. */
const BY_SENTINELS = /^No Sentinel names a primary: (.+)$/;

/**
 * @param where names the primary and the Sentinels
 * @throws MillraceError INVALID_OPTIONS, REDIS_FAILED, REDIS_UNSUPPORTED
 */
function assertSentinelsMayName(lastError: Error, where: string): void {
  const said = BY_SENTINELS.exec(lastError.message)?.[1] ?? '';
  if (said.includes('No such master with that name')) {
    const advice = 'Set REDIS_SENTINEL_PRIMARY, or sentinel.primary in the option redis, to a name that SENTINEL MASTERS shows.';
    throw new MillraceError('INVALID_OPTIONS', `There is not ${where}: they watch none with that name. ${advice}`, { cause: lastError });
  }
  if (/: (NOAUTH|WRONGPASS|NOPERM) /.test(said)) {
    const advice = 'Check REDIS_SENTINEL_USERNAME and REDIS_SENTINEL_PASSWORD, or sentinel.username and sentinel.password in the option redis.';
    throw new RedisFailure('fatal', `The Sentinels refuse to name ${where}: ${said}. ${advice}`, lastError);
  }
  if (/unknown command .?SENTINEL/i.test(said)) {
    const advice = 'Name the addresses of Sentinels, by default on port 26379, or set REDIS_URL to use the server alone.';
    throw new MillraceError('REDIS_UNSUPPORTED', `The servers that were to name ${where} are no Sentinels. ${advice}`, { cause: lastError });
  }
}

/** OpenSSL's words for a certificate that is not to be trusted, and for a server that does not speak TLS. */
const UNTRUSTED = /certificate|altnames|:SSL routines:/i;

function untrusted(where: string, lastError: Error): MillraceError {
  const advice =
    'Name the authority that signed its certificate (MILLRACE_REDIS_CA, or tls.ca in the options), the name in the certificate ' +
    '(tls.servername), or the certificate that the server asks for (tls.cert and tls.key); without TLS write redis://.';
  const message = `The Redis at ${where} and this process do not trust each other: ${lastError.message}. ${advice}`;
  return new MillraceError('REDIS_UNREACHABLE', message, { cause: lastError });
}

function unreachable(where: string, lastError: Error | null): MillraceError {
  const message = `No Redis answers at ${where} within ${BOOT_TIMEOUT_MS / 1000} s. ${guessOf(where, lastError)} ${START_ONE}`;
  return new MillraceError('REDIS_UNREACHABLE', message, { cause: lastError ?? undefined, retryable: true });
}

const START_ONE = 'Start one there, or set REDIS_URL, or the option redis, to where one is.';

function guessOf(where: string, lastError: Error | null): string {
  if (lastError === null) return 'It takes connections, but is not ready: it may be loading its data.';
  const said = `The last attempt said: ${lastError.message}.`;
  if (where.startsWith('rediss:') && lastError.message.includes('ETIMEDOUT')) return `${said} If the server there does not speak TLS, write redis://.`;
  if (lastError.message.startsWith('Connection is closed')) return `${said} If the server there is no Redis, give another address.`;
  return said;
}
