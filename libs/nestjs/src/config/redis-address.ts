import { isIP } from 'node:net';
import { MillraceError, parseOptions } from '@millrace/core';
import type { RedisTls } from '@millrace/redis';
import { defaultOf, type EnvironmentValues } from './environment.js';
import { checkAll } from './problems.js';
import { isParts, RedisOptions, RedisTlsOptions } from './redis-options.js';
import { readTls } from './redis-tls.js';

/** The address of Redis, and the certificates to trust. */
export interface RedisAddress {
  /** With the password. */
  readonly url: string;
  /** Null: those that Node trusts. */
  readonly tls: RedisTls | null;
}

/** The name of the options of Redis in errors. */
const WHERE = 'The option redis';

/**
 * The parts as a URL, and the certificates read.
 *
 * @param given a URL or {@link RedisOptions}; any other value is left to the rules of the options. Default `REDIS_URL`
 * @throws MillraceError INVALID_OPTIONS with every problem; the password is in none
 */
export function redisAddress(given: unknown, env: NodeJS.ProcessEnv): RedisAddress {
  if (isParts(given)) return addressOfParts(given, env);
  return addressOfUrl(typeof given === 'string' ? given : (textOf(env, 'REDIS_URL') ?? defaultOf('REDIS_URL')), env);
}

function addressOfUrl(url: string, env: NodeJS.ProcessEnv): RedisAddress {
  const isEncrypted = url.startsWith('rediss://');
  const tls = tlsOf(env);
  if (!isEncrypted && Object.values(tls).some((value) => value !== undefined)) throw notEncrypted();
  return { url, tls: isEncrypted ? readTls(tls, 'The environment') : null };
}

function addressOfParts(given: object, env: NodeJS.ProcessEnv): RedisAddress {
  const asked = (given as RedisOptions).tls;
  const { options, tls } = checkAll(`${WHERE} is not configured well.`, {
    options: () => parseOptions(RedisOptions, given, WHERE),
    tls: () => (isParts(asked) ? readTls(withDefaults(asked, tlsOf(env)), `${WHERE}.tls`) : null),
  });
  if (options.tls === false) return { url: urlOf(options, 'redis'), tls: null };
  return { url: urlOf(options, 'rediss'), tls: tls ?? readTls(tlsOf(env), 'The environment') };
}

function withDefaults(given: object, fromEnvironment: RedisTlsOptions): RedisTlsOptions {
  const { ca, cert, key, servername } = parseOptions(RedisTlsOptions, given, `${WHERE}.tls`);
  const own = cert === undefined && key === undefined ? fromEnvironment : { cert, key };
  return { ca: ca ?? fromEnvironment.ca, cert: own.cert, key: own.key, servername: servername ?? fromEnvironment.servername };
}

function urlOf({ host, port, username, password, database }: RedisOptions, scheme: string): string {
  const secret = password === undefined ? '' : `:${encodeURIComponent(password)}`;
  const credentials = username === undefined && secret === '' ? '' : `${encodeURIComponent(username ?? '')}${secret}@`;
  const place = isIP(host ?? '') === 6 ? `[${host ?? ''}]` : (host ?? '');
  return `${scheme}://${credentials}${place}:${port ?? ''}/${database ?? ''}`;
}

function tlsOf(env: NodeJS.ProcessEnv): RedisTlsOptions {
  return {
    ca: textOf(env, 'MILLRACE_REDIS_CA'),
    cert: textOf(env, 'MILLRACE_REDIS_CERT'),
    key: textOf(env, 'MILLRACE_REDIS_KEY'),
    servername: textOf(env, 'MILLRACE_REDIS_SERVERNAME'),
  };
}

/** An empty value counts as not set. */
function textOf(env: NodeJS.ProcessEnv, name: keyof EnvironmentValues): string | undefined {
  return env[name]?.trim() || undefined;
}

function notEncrypted(): MillraceError {
  return new MillraceError(
    'INVALID_OPTIONS',
    'Certificates for Redis are named (MILLRACE_REDIS_CA and its like), but its URL does not begin with rediss://, so nothing would be encrypted. ' +
      'Write rediss://, or leave the certificates out.',
  );
}
