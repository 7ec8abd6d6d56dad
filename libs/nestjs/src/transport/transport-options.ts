import { checkAll, type Duration, IsDurationOption, IsName, IsWholeNumber, type Parsed, parseOptions } from '@millrace/core';
import { IsObject, IsOptional } from 'class-validator';
import type { MillraceOptions } from '../config/millrace-options.js';
import { readSettings, type Settings } from '../config/settings.js';
import type { RetryOptions } from '../subscribe/subscribe-options.js';

/** Options of both sides of the Nest transport. They, their environment and their defaults are those of `MillraceModule`. */
export class MillraceTransportOptions {
  @IsOptional()
  redis?: MillraceOptions['redis'];

  @IsOptional()
  prefix?: string;

  @IsOptional()
  lease?: Duration;

  @IsOptional()
  shutdownTimeout?: Duration;

  @IsOptional()
  publishDeadline?: Duration;

  @IsOptional()
  publishBufferBytes?: number;

  @IsOptional()
  unknownProperties?: MillraceOptions['unknownProperties'];

  @IsOptional()
  calls?: MillraceOptions['calls'];

  /** They count, and trace, all that this process does: one server, client or module of it needs them. */
  @IsOptional()
  metrics?: boolean;

  @IsOptional()
  tracing?: MillraceOptions['tracing'];
}

/** Options of `MillraceServer`. */
export class MillraceServerOptions extends MillraceTransportOptions {
  /** The group of its event handlers, and the name under which `MillraceClient` sends requests to it. Required. */
  @IsName('service')
  service!: string;

  /** Events of a topic and a group that are handled at once, 1 to 1000. Default 16. */
  @IsOptional() @IsWholeNumber({ min: 1, max: 1_000 })
  concurrency?: number = 16;

  /**
   * Requests that are answered at once, 1 to 10000; those beyond it wait. A streamed answer counts until it ends, and so does a
   * request whose handler waits for another one of the same service. Default 1000.
   */
  @IsOptional() @IsWholeNumber({ min: 1, max: 10_000 })
  requestConcurrency?: number = 1_000;

  /**
   * How much of the values of one streamed answer may wait in memory for a slow caller, in bytes: the texts, and 64 for each. An
   * Observable cannot be held back; one that is ahead of that is left, and its caller gets BACK_PRESSURE. 1 to 2 ** 30, default
   * 8 MiB.
   */
  @IsOptional() @IsWholeNumber({ min: 1, max: 1_073_741_824 })
  answerBufferBytes?: number = 8_388_608;

  /** The policy for events whose handlers throw. Default 5 attempts, from 1 second to 5 minutes apart. */
  @IsOptional() @IsObject()
  retry?: RetryOptions = {};

  /** How long an attempt at an event may take, `'1ms'` to `'1d'`. Default: no limit. */
  @IsOptional() @IsDurationOption({ min: '1ms', max: '1d' })
  timeout?: Duration;

  /** It and the next three are those of `MillraceModule`, for handlers with `inbox: true`. */
  @IsOptional()
  database?: MillraceOptions['database'];

  @IsOptional()
  databaseConnections?: number;

  @IsOptional()
  inbox?: MillraceOptions['inbox'];

  @IsOptional()
  inboxKeep?: Duration;
}

/** Options of `MillraceClient`. */
export class MillraceClientOptions extends MillraceTransportOptions {
  /** The `service` of the server that answers its requests. Default: none, and it emits events alone. */
  @IsOptional() @IsName('service')
  service?: string;

  /** How long the answer to a request is waited for, all values of a streamed one, `'1ms'` to `'1d'`. Default `'30s'`. */
  @IsOptional() @IsDurationOption({ min: '1ms', max: '1d' })
  timeout?: Duration = '30s';
}

const SHARED = [
  'redis', 'prefix', 'lease', 'shutdownTimeout', 'publishDeadline', 'publishBufferBytes', 'unknownProperties', 'calls',
  'metrics', 'tracing', 'database', 'databaseConnections', 'inbox', 'inboxKeep',
] as const satisfies readonly (keyof MillraceServerOptions)[];

/**
 * @param where what is being configured, for the error: `MillraceServer`
 * @throws MillraceError INVALID_OPTIONS with every problem
 */
export function transportSettings<T extends MillraceTransportOptions>(
  type: new () => T,
  raw: unknown,
  where: string,
): { readonly options: Parsed<T>; readonly settings: Settings } {
  return checkAll(`${where} is not configured well.`, {
    options: () => parseOptions(type, raw, where),
    settings: () => readSettings(sharedIn(raw), process.env),
  });
}

function sharedIn(raw: unknown): object {
  const given = Object.entries((raw ?? {})).filter(([name]) => SHARED.some((shared) => shared === name));
  return Object.fromEntries(given);
}
