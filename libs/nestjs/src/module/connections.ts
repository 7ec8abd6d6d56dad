import { Inject, Injectable, Logger } from '@nestjs/common';
import { MillraceError } from '@millrace/core';
import { connectDatabase, SourceDatabase, type SqlDatabase } from '@millrace/outbox';
import { connectRedis, type Topology } from '@millrace/redis';
import { createRpc, type Rpc } from '@millrace/rpc';
import { createStreams, type Streams } from '@millrace/streams';
import type { Settings } from '../config/settings.js';
import { SETTINGS } from './tokens.js';

/** How long publishes under way and readers may take to end once handlers have. */
const LAST_STOP_MS = 1_000;

interface Opened {
  readonly redis: Topology;
  readonly streams: Streams;
  readonly rpc: Rpc;
}

/**
 * The connections of this process: idle -> open -> closed. They open when the application starts or when something needs them
 * earlier, never while Nest still makes the objects: an application that fails there has nothing to close.
 */
@Injectable()
export class Connections {
  readonly #settings: Settings;
  #opening: Promise<Opened> | null = null;
  #opened: Opened | null = null;
  #database: Promise<SqlDatabase> | null = null;
  #closing: Promise<void> | null = null;

  constructor(@Inject(SETTINGS) settings: Settings) {
    this.#settings = settings;
  }

  /** @throws MillraceError REDIS_UNREACHABLE, REDIS_UNSUPPORTED, INVALID_OPTIONS, CLOSED */
  async redis(): Promise<Topology> {
    return (await this.#open()).redis;
  }

  /** @throws MillraceError REDIS_UNREACHABLE, REDIS_UNSUPPORTED, INVALID_OPTIONS, CLOSED */
  async streams(): Promise<Streams> {
    return (await this.#open()).streams;
  }

  /** @throws MillraceError REDIS_UNREACHABLE, REDIS_UNSUPPORTED, INVALID_OPTIONS, CLOSED */
  async rpc(): Promise<Rpc> {
    return (await this.#open()).rpc;
  }

  /** The value of {@link rpc} once it has resolved; null before that, and from the moment when it is being closed. */
  get openRpc(): Rpc | null {
    return this.#closing ? null : (this.#opened?.rpc ?? null);
  }

  /** The value of {@link streams} once it has resolved; null before that, and from the moment when it is being closed. */
  get openStreams(): Streams | null {
    return this.#closing ? null : (this.#opened?.streams ?? null);
  }

  /** @throws MillraceError INBOX_NOT_CONFIGURED, DATABASE_UNREACHABLE, DATABASE_FAILED, INVALID_OPTIONS, CLOSED */
  database(): Promise<SqlDatabase> {
    if (this.#closing) return Promise.reject(closed());
    const { databaseUrl: url, databaseSource: source, databaseConnections: connections } = this.#settings;
    if (source) this.#database ??= SourceDatabase.open(source);
    else if (url === null) return Promise.reject(noDatabase());
    else this.#database ??= connectDatabase({ url, connections });
    return this.#database;
  }

  /** Flushes publishes, then closes everything that was opened. May be called again. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  #open(): Promise<Opened> {
    if (this.#closing) return Promise.reject(closed());
    this.#opening ??= this.#connect();
    return this.#opening;
  }

  async #connect(): Promise<Opened> {
    const { redis: target, prefix, leaseMs, publishDeadlineMs, publishBufferBytes, calls } = this.#settings;
    const { connectionName: name = prefix } = this.#settings;
    const redis = await connectRedis({ ...target, name });
    warnOfEviction(redis.server.evictionPolicy);
    for (const concern of redis.server.concerns) new Logger('Millrace').warn(concern);
    const streams = createStreams({ redis, prefix, leaseMs, publishDeadlineMs, publishBufferBytes });
    this.#opened = { redis, streams, rpc: createRpc({ ...calls, redis, prefix, presence: streams.presence }) };
    return this.#opened;
  }

  async #close(): Promise<void> {
    const [opened, database] = await Promise.allSettled([this.#opening, this.#database]);
    if (opened.status === 'fulfilled' && opened.value) {
      await opened.value.rpc.stop(LAST_STOP_MS);
      await opened.value.streams.stop(LAST_STOP_MS);
      opened.value.redis.close();
    }
    if (database.status === 'fulfilled') await database.value?.close();
  }
}

/** A server that does not report its eviction policy is taken to have the right one. */
function warnOfEviction(policy: string | null): void {
  if (policy === null || policy === 'noeviction') return;
  new Logger('Millrace').warn(
    `Redis has maxmemory-policy ${policy}: when its memory is full it removes messages, or the records of them, without a ` +
      'report. Set it to noeviction.',
  );
}

function closed(): MillraceError {
  return new MillraceError('CLOSED', 'The application is shutting down: its connections are closed.');
}

function noDatabase(): MillraceError {
  return new MillraceError('INBOX_NOT_CONFIGURED', 'No database is named: set DATABASE_URL, or give MillraceModule the option database.');
}
