import { isIP } from 'node:net';
import { checkAll, MillraceError, parseOptions } from '@millrace/core';
import type { RedisLogin, RedisTarget, RedisTls, SentinelsOfTarget } from '../connection/redis-target.js';
import { assertNoClient, placeOfIoredis } from './ioredis-options.js';
import { addressesOf, natMapIn, natMapOf } from './redis-nodes.js';
import {
  ClusterOptions, isParts, RedisClusterOptions, RedisIoredisOptions, type RedisLoginOptions, RedisOptions, RedisSentinelOptions,
  RedisTlsOptions, SentinelOptions,
} from './redis-options.js';
import { readTls } from './redis-tls.js';
import { DEFAULT_REDIS_URL, REDIS_PLACES, type RedisVariable } from './redis-variables.js';
import { strayVariables, urlWithLogin } from './stray-variables.js';

/** Options as a user writes them. */
type Given<Options> = { readonly [Name in keyof Options]?: Options[Name] };

/** The name of the options of Redis in errors. */
const WHERE = 'The option redis';
const ENVIRONMENT = 'The environment';
const [PORT, SENTINEL_PORT] = [6_379, 26_379];

/**
 * Which Redis, with the certificates read.
 *
 * @param given a URL, {@link RedisOptions}, {@link RedisClusterOptions}, {@link RedisSentinelOptions} or
 *   {@link RedisIoredisOptions}; any other value is left to the rules of the options. Default: by the environment
 * @throws MillraceError INVALID_OPTIONS with every problem; passwords are in none
 */
export function redisTarget(given: unknown, env: NodeJS.ProcessEnv): RedisTarget {
  if (typeof given === 'string') return targetOfUrl(given, env);
  if (!isParts(given)) return targetOfEnvironment(env);
  assertNoClient(given, WHERE);
  return 'ioredis' in given ? targetOfIoredis(given, env) : targetOfOptions(given, env, WHERE);
}

function targetOfOptions(given: object, env: NodeJS.ProcessEnv, where: string): RedisTarget {
  if ('cluster' in given && 'sentinel' in given) {
    throw new MillraceError('INVALID_OPTIONS', `${where} has both cluster and sentinel: nobody can say which is meant. Leave one out.`);
  }
  if ('cluster' in given && 'database' in given) {
    throw new MillraceError('INVALID_OPTIONS', `${where} has a database: a Redis Cluster has the database 0 alone, so leave it out.`);
  }
  if ('cluster' in given) return targetOfCluster(given, env, where);
  return 'sentinel' in given ? targetOfSentinels(given, env, where) : targetOfParts(given, env, where);
}

function targetOfIoredis(given: object, env: NodeJS.ProcessEnv): RedisTarget {
  const { ioredis } = parseOptions(RedisIoredisOptions, given, WHERE);
  const place = placeOfIoredis(ioredis, `${WHERE}.ioredis`);
  return 'url' in place ? place : targetOfOptions(place, env, `${WHERE}.ioredis`);
}

function targetOfEnvironment(env: NodeJS.ProcessEnv): RedisTarget {
  const named = REDIS_PLACES.filter((name) => textOf(env, name) !== undefined);
  if (named.length > 1) throw new MillraceError('INVALID_OPTIONS', `${named.join(' and ')} both say where Redis is: nobody can say which is meant. Set one.`);
  const problems = strayVariables(env);
  if (problems.length > 0) throw new MillraceError('INVALID_OPTIONS', `${ENVIRONMENT} contradicts itself about Redis.`, { problems });
  const nodes = listOf(env, 'REDIS_CLUSTER_NODES');
  const sentinels = listOf(env, 'REDIS_SENTINELS');
  const login = loginIn(env);
  if (nodes) return targetOfCluster({ ...login, cluster: { nodes, ...mapIn(env) } }, env, ENVIRONMENT);
  const sentinel = { nodes: sentinels, ...sentinelIn(env), ...mapIn(env) };
  if (sentinels) return targetOfSentinels({ ...login, sentinel }, env, ENVIRONMENT);
  return targetOfUrl(urlWithLogin(textOf(env, 'REDIS_URL') ?? DEFAULT_REDIS_URL, login), env);
}

function targetOfUrl(url: string, env: NodeJS.ProcessEnv): RedisTarget {
  const isEncrypted = url.startsWith('rediss://');
  const tls = tlsOf(env);
  if (!isEncrypted && isNamed(tls)) throw notEncrypted();
  return isEncrypted ? { url, tls: readTls(tls, ENVIRONMENT) } : { url };
}

function targetOfParts(given: object, env: NodeJS.ProcessEnv, where: string): RedisTarget {
  const { options, tls } = checkAll(`${where} is not configured well.`, {
    options: () => parseOptions(RedisOptions, given, where),
    tls: () => trustOf((given as RedisOptions).tls, tlsOf(env), `${where}.tls`),
  });
  return tls ? { url: urlOf(options, 'rediss'), tls } : { url: urlOf(options, 'redis') };
}

function targetOfCluster(given: object, env: NodeJS.ProcessEnv, where: string): RedisTarget {
  const { options, cluster, tls } = checkAll(`${where} is not configured well.`, {
    options: () => parseOptions(RedisClusterOptions, given, where),
    cluster: () => clusterOf((given as RedisClusterOptions).cluster, where),
    tls: () => trustOf((given as RedisLoginOptions).tls, tlsOf(env), `${where}.tls`),
  });
  return { cluster, ...loginOf(options, tls) };
}

function clusterOf(given: object, where: string): { nodes: ReturnType<typeof addressesOf>; natMap: ReturnType<typeof natMapOf> } {
  const { nodes, natMap } = parseOptions(ClusterOptions, given, `${where}, cluster`);
  return {
    nodes: addressesOf(nodes, nameOf('REDIS_CLUSTER_NODES', `${where}, cluster, nodes`, where), PORT),
    natMap: natMapOf(natMap, nameOf('REDIS_NAT_MAP', `${where}, cluster, natMap`, where)),
  };
}

/** The variable, or the option, that a user has to correct. */
function nameOf(variable: RedisVariable, option: string, where: string): string {
  return where === ENVIRONMENT ? variable : option;
}

function targetOfSentinels(given: object, env: NodeJS.ProcessEnv, where: string): RedisTarget {
  const { options, sentinel, tls } = checkAll(`${where} is not configured well.`, {
    options: () => parseOptions(RedisSentinelOptions, given, where),
    sentinel: () => sentinelsOf((given as RedisSentinelOptions).sentinel, env, where),
    tls: () => trustOf((given as RedisLoginOptions).tls, tlsOf(env), `${where}.tls`),
  });
  return { sentinel, database: options.database, ...loginOf(options, tls) };
}

function sentinelsOf(given: object, env: NodeJS.ProcessEnv, where: string): SentinelsOfTarget {
  const { nodes, primary, natMap, username, password } = parseOptions(SentinelOptions, given, `${where}, sentinel`);
  const tls = trustOf((given as SentinelOptions).tls, sentinelTlsOf(env), `${where}, sentinel.tls`);
  const addresses = addressesOf(nodes, nameOf('REDIS_SENTINELS', `${where}, sentinel, nodes`, where), SENTINEL_PORT);
  const map = natMapOf(natMap, nameOf('REDIS_NAT_MAP', `${where}, sentinel, natMap`, where));
  return { nodes: addresses, primary, natMap: map, ...loginOf({ username, password }, tls) };
}

function loginOf({ username, password }: Pick<RedisLoginOptions, 'username' | 'password'>, tls: RedisTls | null): RedisLogin {
  const user = username === undefined ? {} : { username };
  return { ...user, ...(password === undefined ? {} : { password }), ...(tls ? { tls } : {}) };
}

/**
 * The certificates of encrypted connections; null for others.
 *
 * @param defaults those of the environment
 */
function trustOf(asked: boolean | RedisTlsOptions | undefined, defaults: RedisTlsOptions, where: string): RedisTls | null {
  if (isParts(asked)) return readTls(withDefaults(parseOptions(RedisTlsOptions, asked, where), defaults), where);
  return asked === true ? readTls(defaults, ENVIRONMENT) : null;
}

function loginIn(env: NodeJS.ProcessEnv): Given<RedisLoginOptions> {
  const [username, password] = [textOf(env, 'REDIS_USERNAME'), textOf(env, 'REDIS_PASSWORD')];
  return { ...(username && { username }), ...(password && { password }), tls: isOn(env, 'REDIS_TLS') || isNamed(tlsOf(env)) };
}

function sentinelIn(env: NodeJS.ProcessEnv): Given<SentinelOptions> {
  const [primary, username] = [textOf(env, 'REDIS_SENTINEL_PRIMARY'), textOf(env, 'REDIS_SENTINEL_USERNAME')];
  const password = textOf(env, 'REDIS_SENTINEL_PASSWORD');
  const tls = isOn(env, 'REDIS_SENTINEL_TLS') || isNamed(ownTlsOfSentinels(env));
  return { ...(primary && { primary }), ...(username && { username }), ...(password && { password }), tls };
}

function mapIn(env: NodeJS.ProcessEnv): { natMap?: Record<string, string> } {
  const text = textOf(env, 'REDIS_NAT_MAP');
  return text === undefined ? {} : { natMap: natMapIn(text, 'REDIS_NAT_MAP') };
}

function listOf(env: NodeJS.ProcessEnv, name: RedisVariable): string[] | undefined {
  return textOf(env, name)?.split(',').map((each) => each.trim());
}

function withDefaults({ ca, cert, key, servername }: RedisTlsOptions, defaults: RedisTlsOptions): RedisTlsOptions {
  const own = cert === undefined && key === undefined ? defaults : { cert, key };
  return { ca: ca ?? defaults.ca, cert: own.cert, key: own.key, servername: servername ?? defaults.servername };
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

/** Where servers that store data and Sentinels have certificates by one authority, that is named once. */
function sentinelTlsOf(env: NodeJS.ProcessEnv): RedisTlsOptions {
  return withDefaults(ownTlsOfSentinels(env), tlsOf(env));
}

function ownTlsOfSentinels(env: NodeJS.ProcessEnv): RedisTlsOptions {
  return {
    ca: textOf(env, 'MILLRACE_REDIS_SENTINEL_CA'),
    cert: textOf(env, 'MILLRACE_REDIS_SENTINEL_CERT'),
    key: textOf(env, 'MILLRACE_REDIS_SENTINEL_KEY'),
    servername: textOf(env, 'MILLRACE_REDIS_SENTINEL_SERVERNAME'),
  };
}

/** A user who names certificates wants encrypted connections. */
function isNamed(tls: RedisTlsOptions): boolean {
  return Object.values(tls).some((value) => value !== undefined);
}

function isOn(env: NodeJS.ProcessEnv, name: 'REDIS_TLS' | 'REDIS_SENTINEL_TLS'): boolean {
  return ['1', 'true'].includes(textOf(env, name) ?? '');
}

/** An empty value counts as not set. */
function textOf(env: NodeJS.ProcessEnv, name: RedisVariable): string | undefined {
  return env[name]?.trim() || undefined;
}

function notEncrypted(): MillraceError {
  return new MillraceError(
    'INVALID_OPTIONS',
    'Certificates for Redis are named (MILLRACE_REDIS_CA and its like), but its URL does not begin with rediss://, so nothing would be encrypted. ' +
      'Write rediss://, or leave the certificates out.',
  );
}
