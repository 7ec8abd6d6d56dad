import { type Duration, IsDurationOption, IsName, IsOneOf, IsWholeNumber, UNKNOWN_PROPERTIES, type UnknownProperties } from '@millrace/core';
import {
  IsRedis, type RedisClusterOptions, type RedisIoredisOptions, type RedisOptions, type RedisSentinelOptions,
} from '@millrace/redis';
import { IsBoolean, IsObject, IsOptional, ValidateBy } from 'class-validator';
import type { CallsOptions } from './calls-options.js';
import { type DatabaseSource, type InboxOptions, IsDatabase } from './inbox-options.js';
import type { OutboxOptions } from './outbox-options.js';
import { type HandlerSelection, IsHandlerSelection } from './handler-selection.js';
import { IsTagList } from './instance-tags.js';

function IsOutbox(): PropertyDecorator {
  return ValidateBy({
    name: 'isOutbox',
    validator: {
      validate: (value: unknown) => typeof value === 'boolean' || (typeof value === 'object' && !Array.isArray(value)),
      defaultMessage: () => 'outbox must be true, false or an object of options',
    },
  });
}

const TRACING = ['off', 'parent', 'link'] as const;

/** Options of `MillraceModule.forRoot`. Each of them wins over the environment. */
export class MillraceOptions {
  /**
   * Redis 7.0 or newer: a URL or its parts, a Cluster, a primary that Sentinels watch, or the options of a client of ioredis.
   * Default `REDIS_URL`, `REDIS_CLUSTER_NODES` or `REDIS_SENTINELS`, else `redis://127.0.0.1:6379`.
   */
  @IsOptional() @IsRedis()
  redis?: string | RedisOptions | RedisClusterOptions | RedisSentinelOptions | RedisIoredisOptions;

  /** First part of every key in Redis. Default `MILLRACE_PREFIX`, else `millrace`. */
  @IsOptional() @IsName('key prefix')
  prefix?: string;

  /**
   * The name of this application, for answers that `@Idempotent()` keeps. Applications with the same Redis and `prefix` need one
   * each: those with the same name share the keys of routes whose controllers and methods have the same names. Default `'app'`.
   */
  @IsOptional() @IsName('service')
  application?: string = 'app';

  /**
   * The database that holds the inbox: the URL of a PostgreSQL, or the application's own library as a source, such as
   * `drizzleSource(db)`. Default `DATABASE_URL`, else there is no inbox.
   */
  @IsOptional() @IsDatabase()
  database?: string | DatabaseSource;

  /** The tables of the inbox. Default: those of {@link InboxOptions}. */
  @IsOptional() @IsObject()
  inbox?: InboxOptions;

  /**
   * Connections of this process to the PostgreSQL of a URL at most, 1 to 1000. A handler with the inbox holds one while it
   * runs, and one is left for other queries; the sum over all processes has to fit the server's `max_connections`. Default 10.
   */
  @IsOptional() @IsWholeNumber({ min: 1, max: 1_000 })
  databaseConnections?: number = 10;

  /**
   * How long the inbox remembers that a message was handled, `'1m'` to `'36500d'`. One that is delivered again later, such as
   * by a group that Redis has lost, takes effect again; a row takes a few hundred bytes. Give it the same in every process: the
   * shortest counts. Default `MILLRACE_INBOX_KEEP`, else `'7d'`.
   */
  @IsOptional() @IsDurationOption({ min: '1m', max: '36500d' })
  inboxKeep?: Duration;

  /**
   * Stores messages and jobs in transactions of the application's database (`Outbox`), and publishes them from there: true, or
   * {@link OutboxOptions}. Default: true with `MILLRACE_OUTBOX=1`, else there is no outbox.
   */
  @IsOptional() @IsOutbox()
  outbox?: boolean | OutboxOptions;

  /**
   * The handlers that this process runs; `'broadcasts'`: those of no group and no queue. Default `MILLRACE_HANDLERS`, or
   * `MILLRACE_GROUPS` and `MILLRACE_QUEUES`, else `'all'`.
   */
  @IsOptional() @IsHandlerSelection()
  handlers?: HandlerSelection;

  /**
   * Tags of the instances of every service that this process runs, up to 32, beside those of `@RpcService`: callers may choose
   * instances by them. Default `MILLRACE_TAGS`, else none.
   */
  @IsOptional() @IsTagList()
  tags?: readonly string[];

  /** How long a silent process keeps its messages and jobs, `'500ms'` to `'1h'`. Default `MILLRACE_LEASE`, else `'15s'`. */
  @IsOptional() @IsDurationOption({ min: '500ms', max: '1h' })
  lease?: Duration;

  /** How long handlers may take to finish at shutdown, `'0ms'` to `'1h'`. Default `MILLRACE_SHUTDOWN_TIMEOUT`, else `'25s'`. */
  @IsOptional() @IsDurationOption({ min: '0ms', max: '1h' })
  shutdownTimeout?: Duration;

  /** How long a publish is tried before it is rejected, unless it says so itself: `'1ms'` to `'1d'`. Default `'10s'`. */
  @IsOptional() @IsDurationOption({ min: '1ms', max: '1d' })
  publishDeadline?: Duration = '10s';

  /**
   * How many bytes of memory the messages may take that wait to be published or to be confirmed in this process, over all
   * topics: 1 KiB to 64 GiB. A message takes its text and 512 bytes. A publish beyond it is refused with BACK_PRESSURE. Default
   * 67,108,864 (64 MiB).
   */
  @IsOptional() @IsWholeNumber({ min: 1_024, max: 64 * 1_024 ** 3 })
  publishBufferBytes?: number = 64 * 1_024 ** 2;

  /**
   * Whether this process counts messages, jobs and calls for Prometheus. A worker gives the metrics at `/metrics` beside its
   * health; other processes have them in `Telemetry`. Default false.
   */
  @IsOptional() @IsBoolean()
  metrics?: boolean = false;

  /**
   * Whether messages, jobs and calls become spans of OpenTelemetry, and how the span of a handler stands to the one that
   * published its message: `'parent'`, `'link'`, or `'off'`. It needs `@opentelemetry/api` and an SDK. Default `'off'`.
   */
  @IsOptional() @IsOneOf(TRACING)
  tracing?: 'off' | 'parent' | 'link' = 'off';

  /** Bounds of remote calls. Default: those of {@link CallsOptions}. */
  @IsOptional() @IsObject()
  calls?: CallsOptions;

  /** Whether global guards, pipes, interceptors and filters surround message and job handlers too. Default false. */
  @IsOptional() @IsBoolean()
  globalEnhancers?: boolean = false;

  /**
   * The rule for properties of a payload that its class does not declare, unless its `@Topic` or `@Job` has its own:
   * `'refuse'`, `'strip'` or `'keep'`. A message or job that arrives is never refused for them. Default `'refuse'`.
   */
  @IsOptional() @IsOneOf(UNKNOWN_PROPERTIES)
  unknownProperties?: UnknownProperties = 'refuse';
}
