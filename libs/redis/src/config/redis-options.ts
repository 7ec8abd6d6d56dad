import { IsWholeNumber } from '@millrace/core';
import { isHost } from '../connection/redis-address.js';
import { IsArray, IsDefined, IsObject, IsOptional, Matches, ValidateBy } from 'class-validator';

/** Each certificate and key is PEM text, which begins with `-----BEGIN`, or the path of a file that holds it. */
export class RedisTlsOptions {
  /** The authorities that may have signed the server's certificate. Default `MILLRACE_REDIS_CA`, else those that Node knows. */
  @IsOptional() @IsFilled()
  ca?: string;

  /** The certificate of this process, where the server asks for one; with `key`. Default `MILLRACE_REDIS_CERT`. */
  @IsOptional() @IsFilled()
  cert?: string;

  /** The private key of `cert`, without a passphrase. Default `MILLRACE_REDIS_KEY`. */
  @IsOptional() @IsFilled()
  key?: string;

  /** The name in the server's certificate. Default `MILLRACE_REDIS_SERVERNAME`, else the host, where that is a name. */
  @IsOptional() @IsFilled()
  servername?: string;
}

/** The address of Redis in parts, none of which has to be encoded. */
export class RedisOptions {
  /** A name or an address. Default `127.0.0.1`. */
  @IsOptional() @IsHost()
  host?: string = '127.0.0.1';

  /** 1 to 65535. Default 6379. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 65_535 })
  port?: number = 6_379;

  /** The user of Redis's access rules. Default: the one that Redis calls `default`. */
  @IsOptional() @IsSecret()
  username?: string;

  /** The password, not encoded. Default: none. */
  @IsOptional() @IsSecret()
  password?: string;

  /** The number of the database, 0 to 99999. Default 0. */
  @IsOptional() @IsWholeNumber({ min: 0, max: 99_999 })
  database?: number = 0;

  /** True, or the certificates: the connection is encrypted. Default false. */
  @IsOptional() @IsTls()
  tls?: boolean | RedisTlsOptions = false;
}

/** The user and the password for each server that stores data. */
export class RedisLoginOptions {
  /** Default: the one that Redis calls `default`. */
  @IsOptional() @IsSecret()
  username?: string;

  /** The password, not encoded. Default: none. */
  @IsOptional() @IsSecret()
  password?: string;

  /** True, or the certificates: connections are encrypted. Default false. */
  @IsOptional() @IsTls()
  tls?: boolean | RedisTlsOptions = false;
}

/** The nodes of a Cluster. */
export class ClusterOptions {
  /** Each `'host:port'` or `{ host, port }`, one at least: they tell of all others. Required. */
  @IsArray()
  nodes!: (string | { host: string; port: number })[];

  /** Announced addresses and those at which they are reached from here: `{ 'announced:port': 'reachable:port' }`. */
  @IsOptional() @IsObject()
  natMap?: Record<string, string | { host: string; port: number }> = {};
}

/** A Redis Cluster, beside `RedisLoginOptions`. */
export class RedisClusterOptions extends RedisLoginOptions {
  /** Its nodes. Required. */
  @IsObject()
  cluster!: ClusterOptions;
}

/** The Sentinels, their own user and password, and the name of the primary. */
export class SentinelOptions {
  /** Each `'host:port'` or `{ host, port }`; the default port is 26379. Required. */
  @IsArray()
  nodes!: (string | { host: string; port: number })[];

  /** The name under which they watch the primary: `SENTINEL MASTERS` shows it. Required; `REDIS_SENTINEL_PRIMARY`. */
  @Matches(/^\S+$/, { message: 'primary must be the name under which the Sentinels watch it: SENTINEL MASTERS shows it' })
  primary!: string;

  /** The user of the Sentinels. Default: the one that Redis calls `default`. */
  @IsOptional() @IsSecret()
  username?: string;

  /** The password of the Sentinels, not encoded. Default: none. */
  @IsOptional() @IsSecret()
  password?: string;

  /**
   * True, or the certificates: connections to the Sentinels are encrypted. Default false; `REDIS_SENTINEL_TLS`. The parts default
   * to `MILLRACE_REDIS_SENTINEL_CA` and its like, else to those of servers.
   */
  @IsOptional() @IsTls()
  tls?: boolean | RedisTlsOptions = false;

  /** As that of a Cluster, for the servers that Sentinels name. Default: none. */
  @IsOptional() @IsObject()
  natMap?: Record<string, string | { host: string; port: number }> = {};
}

/** A primary that Sentinels watch, beside `RedisLoginOptions`. */
export class RedisSentinelOptions extends RedisLoginOptions {
  /** The Sentinels. Required. */
  @IsObject()
  sentinel!: SentinelOptions;

  /** The number of the database, 0 to 99999. Default 0. */
  @IsOptional() @IsWholeNumber({ min: 0, max: 99_999 })
  database?: number = 0;
}

/** An existing configuration of ioredis. */
export class RedisIoredisOptions {
  /**
   * The options that a client of ioredis is made of, `{ host, ... }` or `{ sentinels, name, ... }`, or the arguments of a
   * `Cluster` as `{ cluster: { nodes, options } }`. Those that say where Redis is are taken over, others are refused. Required.
   */
  @IsDefined()
  ioredis!: object;
}

function IsFilled(): PropertyDecorator {
  return Matches(/\S/, { message: '$property must be text, and not empty' });
}

/** Half a character cannot be written in UTF-8. The message says nothing of the value. */
function IsSecret(): PropertyDecorator {
  return Matches(/^(?!.*\p{Surrogate}).+$/su, { message: '$property must be text, not empty and without half characters' });
}

function IsHost(): PropertyDecorator {
  return ValidateBy({
    name: 'isHost',
    validator: {
      validate: isHost,
      defaultMessage: () => 'host must be a name or an address alone, such as redis.example or ::1',
    },
  });
}

function IsTls(): PropertyDecorator {
  return ValidateBy({
    name: 'isTls',
    validator: {
      validate: (value: unknown) => typeof value === 'boolean' || (typeof value === 'object' && !Array.isArray(value)),
      defaultMessage: () => 'tls must be true, false or { ca, cert, key, servername }',
    },
  });
}

/** The property is the URL of a Redis or its parts. */
export function IsRedis(): PropertyDecorator {
  return ValidateBy({
    name: 'isRedis',
    validator: {
      validate: (value: unknown) => typeof value === 'string' || isParts(value),
      defaultMessage: () => 'redis must be a URL, { host, port, username, password, database, tls }, { cluster: { nodes } }, { sentinel: { nodes, primary } } or { ioredis: { ... } }',
    },
  });
}

export function isParts(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
