import { assertName, type Duration, durationMs, knownHint } from '@millrace/core';
import type { REDIS_PLACES } from '@millrace/redis';
import { usage } from '../failure/cli-error.js';
import { actorOf, type Surroundings } from '../surroundings/surroundings.js';
import { DirectOperator } from '../operator/direct-operator.js';
import { HttpOperator } from '../operator/http-operator.js';
import type { Operator } from '../operator/operator.js';
import { REQUEST_TIMEOUT } from '../operator/time-limit.js';
import { type Context, type Contexts, readContexts } from './contexts.js';

/** The flags of every command that say whom it asks. */
export interface ConnectionOptions {
  readonly url?: string;
  readonly token?: string;
  readonly redis?: string;
  readonly prefix?: string;
  readonly context?: string;
  readonly actor?: string;
  readonly requestTimeout?: Duration;
}

/** A server by its URL. */
export interface ServerPlace {
  readonly url: string;
  /** Null: nothing is sent. */
  readonly token: string | null;
}

/** A Redis by its URL; null: by the variables of the environment. */
export interface RedisPlace {
  readonly redis: string | null;
  readonly prefix: string;
}

const DEFAULT_PREFIX = 'millrace';
/** The library is loaded when something connects. */
const REDIS_VARIABLES: typeof REDIS_PLACES = ['REDIS_URL', 'REDIS_CLUSTER_NODES', 'REDIS_SENTINELS'];

/**
 * Whom a command asks, by the first of these that says it: `--url`, `--redis` or `--context`, MILLRACE_URL, the variables of a
 * Redis, the context in use, and a Redis on this machine. The token and the prefix of a context belong to it, and are of no use
 * elsewhere.
 *
 * @throws CliError USAGE; MillraceError INVALID_NAME
 */
export function placeOf(options: ConnectionOptions, env: NodeJS.ProcessEnv): ServerPlace | RedisPlace {
  const source = sourceOf(options, env);
  if (source.url !== undefined) {
    if (options.prefix !== undefined) throw usage('--prefix belongs to a Redis, and this asks a server, which knows its own. Leave it out, or say --redis.');
    return serverAt(source.url, options.token ?? source.token ?? textOf(env, 'MILLRACE_TOKEN') ?? null);
  }
  if (options.token !== undefined) throw usage('--token belongs to a server, and this asks Redis. Leave it out, or say --url.');
  const prefix = options.prefix ?? source.prefix ?? textOf(env, 'MILLRACE_PREFIX') ?? DEFAULT_PREFIX;
  assertName('key prefix', prefix);
  return { redis: source.redis ?? null, prefix };
}

/** Without a URL and without a Redis: the environment says which Redis. */
function sourceOf({ url, redis, context }: ConnectionOptions, env: NodeJS.ProcessEnv): Context {
  const places = Object.entries({ '--url': url, '--redis': redis, '--context': context });
  const said = places.filter(([, value]) => value !== undefined).map(([flag]) => flag);
  if (said.length > 1) throw usage(`${said.join(' and ')} ${said.length === 2 ? 'both' : 'all'} say whom to ask. Say one of them alone.`);
  if (url !== undefined) return { url };
  if (redis !== undefined) return { redis };
  if (context !== undefined) return contextNamed(context, readContexts(env));
  const server = textOf(env, 'MILLRACE_URL');
  if (server !== undefined) return { url: server };
  if (REDIS_VARIABLES.some((name) => textOf(env, name) !== undefined)) return {};
  const contexts = readContexts(env);
  return contexts.current === null ? {} : contextNamed(contexts.current, contexts);
}

/** @throws CliError USAGE; MillraceError INVALID_OPTIONS, INVALID_NAME */
export function operatorFor(options: ConnectionOptions, { env }: Pick<Surroundings, 'env'>): Operator {
  const place = placeOf(options, env);
  const requestMs = durationMs(options.requestTimeout ?? REQUEST_TIMEOUT);
  if ('url' in place) return new HttpOperator({ ...place, requestMs });
  const { redis, prefix } = place;
  return new DirectOperator({ redis, env, prefix, actor: options.actor ?? actorOf(env), requestMs });
}

function contextNamed(name: string, { contexts }: Contexts): Context {
  if (Object.hasOwn(contexts, name)) return contexts[name]!;
  throw usage(`There is no context ${name}${knownHint(name, Object.keys(contexts))} Name another one, or say --url or --redis.`);
}

const TOKEN = /^[!-~]{1,512}$/;
const API_PATH = /\/+millrace\/api\/v1\/*$/;

/**
 * A server by its URL, which may be that of its HTTP API.
 *
 * @throws CliError USAGE
 */
export function serverAt(url: string, token: string | null): ServerPlace {
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) throw usage('The URL of a server begins with http:// or https://, as http://127.0.0.1:3000. For a Redis say --redis.');
  const { username, password, search, hash } = new URL(url);
  if (username !== '' || password !== '' || search !== '' || hash !== '') throw usage('The URL of a server has no user, no password and no parameters. Give the token by --token or MILLRACE_TOKEN.');
  if (token !== null && !TOKEN.test(token)) throw usage('The token must be 1 to 512 visible ASCII characters without a space. It may have a line break inside.');
  return { url: url.replace(API_PATH, ''), token };
}

/** An empty value counts as not set. */
function textOf(env: NodeJS.ProcessEnv, name: string): string | undefined {
  return env[name]?.trim() || undefined;
}
