import { MillraceError } from '@millrace/core';
import type { ServerConnection } from '../connection/server-connection.js';
import { RedisFailure, redisFailure } from '../connection/redis-failure.js';
import { guessAboutTls, tlsFailureOf } from './tls-failure.js';

/** How long a start waits for connections. */
export const BOOT_TIMEOUT_MS = 5_000;
/** How often, while connecting, it is checked whether the attempts can succeed at all. */
const LOOK_EVERY_MS = 50;

/** A server, or the one that Sentinels name, for the words of errors. */
export interface BootPlace {
  /** Its address, without a password. */
  readonly where: string;
  /** Whether TLS is asked for. */
  readonly isEncrypted?: boolean | undefined;
}

/**
 * Waits until a connection is ready.
 *
 * @throws MillraceError REDIS_UNREACHABLE nothing answers within 5 seconds, or the server is no Redis, or is not trusted
 * @throws MillraceError REDIS_FAILED Redis refuses the user: the password or the permissions
 */
export async function untilReady(connection: ServerConnection, place: BootPlace): Promise<void> {
  const end = performance.now() + BOOT_TIMEOUT_MS;
  while (!(await connection.whenReady(LOOK_EVERY_MS))) {
    const { lastError } = connection;
    const lost = lastError && hopelessness(lastError, place.where);
    if (lost) throw lost;
    if (performance.now() >= end) throw unreachable(place, lastError);
  }
}

/** Some failures are the same at every attempt: then waiting helps nobody. @returns null for any other failure */
export function hopelessness(lastError: Error, where: string): MillraceError | null {
  const said = BY_SENTINELS.exec(lastError.message)?.[1];
  return said === undefined ? ofServer(lastError, where) : ofSentinels(said, where, lastError);
}

function ofServer(lastError: Error, where: string): MillraceError | null {
  const failure = redisFailure(lastError, 'Connecting');
  if (failure.kind === 'fatal') {
    return new RedisFailure('fatal', `Redis at ${where} refuses the connection: ${lastError.message}. Check the user and the password.`, lastError);
  }
  if (!/Please report this/.test(lastError.message)) return tlsFailureOf(lastError, { subject: `The Redis at ${where}`, options: 'tls' });
  return new MillraceError('REDIS_UNREACHABLE', `The server at ${where} is no Redis. Set REDIS_URL, or the option redis, to one.`, { cause: lastError });
}

/** Their addresses, each with what it said. */
const BY_SENTINELS = /^No Sentinel names a primary: (.+)$/;

/** @param where names the primary and the Sentinels */
function ofSentinels(said: string, where: string, lastError: Error): MillraceError | null {
  if (said.includes('No such master with that name')) {
    const advice = 'Set REDIS_SENTINEL_PRIMARY, or sentinel.primary in the option redis, to a name that SENTINEL MASTERS shows.';
    return new MillraceError('INVALID_OPTIONS', `There is not ${where}: they watch none with that name. ${advice}`, { cause: lastError });
  }
  if (/: (NOAUTH|WRONGPASS|NOPERM) /.test(said)) {
    const advice = 'Check REDIS_SENTINEL_USERNAME and REDIS_SENTINEL_PASSWORD, or sentinel.username and sentinel.password in the option redis.';
    return new RedisFailure('fatal', `The Sentinels refuse to name ${where}: ${said}. ${advice}`, lastError);
  }
  if (/unknown command .?SENTINEL/i.test(said)) {
    const advice = 'Name the addresses of Sentinels, by default on port 26379, or set REDIS_URL to use the server alone.';
    return new MillraceError('REDIS_UNSUPPORTED', `The servers that were to name ${where} are no Sentinels. ${advice}`, { cause: lastError });
  }
  return tlsFailureOf(lastError, { subject: `The Sentinels that were to name ${where}`, options: 'sentinel.tls' });
}

function unreachable({ where, isEncrypted }: BootPlace, lastError: Error | null): MillraceError {
  const message = `No Redis answers at ${where} within ${BOOT_TIMEOUT_MS / 1000} s. ${guessOf(lastError, isEncrypted)} ${START_ONE}`;
  return new MillraceError('REDIS_UNREACHABLE', message, { cause: lastError ?? undefined, retryable: true });
}

/** A server that takes connections, but does not say that it is ready. */
export const NOT_READY = 'It takes connections, but is not ready: it may be loading its data.';

const START_ONE = 'Start one there, or say in REDIS_URL, REDIS_SENTINELS, REDIS_CLUSTER_NODES, or the option redis, where one is.';

function guessOf(lastError: Error | null, isEncrypted: boolean | undefined): string {
  if (lastError === null) return NOT_READY;
  const guesses = [`The last attempt said: ${lastError.message}.`];
  if (BY_SENTINELS.test(lastError.message)) guesses.push(guessAboutTls(lastError, { options: 'sentinel.tls' }));
  else guesses.push(guessAboutTls(lastError, { options: 'tls', isEncrypted }));
  if (lastError.message.startsWith('Connection is closed')) guesses.push('If the server there is no Redis, give another address.');
  return guesses.filter((guess) => guess !== '').join(' ');
}
