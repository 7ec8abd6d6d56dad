import {
  emit, errorRecord, type InboxPort, type InboxResult, IsWholeNumber, Loop, MillraceError, OwnerFencedError,
  type OwningSubscriber, parseOptions, quote, Semaphore, type SqlTransaction, type WaitLimit,
} from '@millrace/core';
import { IsBoolean, IsObject, IsOptional } from 'class-validator';
import { noTables, ownStatement } from '../database/database-errors.js';
import { isRefusedLock } from '../database/driver-errors.js';
import type { SqlSource } from '../database/sql-source.js';
import { InboxDatabase } from './inbox-database.js';
import { inboxSql } from './inbox-dialects.js';
import { InboxPlace } from './inbox-place.js';
import type { InboxSql, Recorded } from './inbox-sql.js';

const PURGE_PAUSE_MS = 3_600_000;
const PURGE_BATCH = 500;
/** How often a transaction begins again that could not record its message because of others: nothing of its handler was run. */
const MOST_BEGINNINGS = 20;
/** The longest name: two of them fit into one entry of the index. */
const LONGEST_NAME_BYTES = 1_024;

export class InboxOptions {
  /** A database of ours, or the application's own library. */
  @IsObject()
  database!: SqlSource<unknown>;

  /** The names of the tables. Default `millrace_inbox` and `millrace_owner`, where a connection is. */
  @IsOptional() @IsObject()
  place?: InboxPlace;

  /** Whether {@link SqlInbox.prepare} makes the tables that are not there. Default true. */
  @IsOptional() @IsBoolean()
  createTables?: boolean = true;

  /**
   * How long a handled message is remembered, in milliseconds, at least a minute: one that comes again later is handled
   * again. Default 7 days.
   */
  @IsOptional() @IsWholeNumber({ min: 60_000 })
  keepMs?: number = 7 * 86_400_000;

  /**
   * How long a message waits for its turn while others hold all the connections that handlers may have, in milliseconds.
   * Default 5 minutes.
   */
  @IsOptional() @IsWholeNumber({ min: 1, max: 86_400_000 })
  waitMs?: number = 300_000;
}

/** The inbox in the user's database: a table of handled messages and, for ordered groups, one of the owners of partitions. */
export class SqlInbox implements InboxPort {
  readonly #database: InboxDatabase;
  readonly #sql: InboxSql;
  readonly #createTables: boolean;
  readonly #keepMs: number;
  readonly #turns: Semaphore;
  readonly #limit: WaitLimit;
  /** Owners of which the database is being told: the messages of their lanes wait for one answer. */
  readonly #raising = new Map<string, Promise<void>>();
  #purging: Loop | null = null;

  /** @throws MillraceError INVALID_OPTIONS */
  constructor(options: InboxOptions) {
    const { database, place, createTables, keepMs, waitMs } = parseOptions(InboxOptions, options, 'new SqlInbox()');
    this.#database = new InboxDatabase(database);
    this.#sql = inboxSql(this.#database.dialect, parseOptions(InboxPlace, place ?? {}, 'The inbox'));
    this.#createTables = createTables;
    this.#keepMs = keepMs;
    // One connection is left for other queries of handlers and for the purge: a handler that waits for it must not hold the last.
    const most = Math.max(1, (database.connections ?? Infinity) - 1);
    this.#turns = new Semaphore(most);
    this.#limit = { waitMs, tooLate: () => noTurn(most, waitMs) };
  }

  /**
   * Makes the tables that are not there; any number of processes may do so at once.
   *
   * @throws MillraceError DATABASE_FAILED, also when tables are not there and it may not make them; DATABASE_UNREACHABLE
   */
  async prepare(): Promise<void> {
    const tables = this.#sql.schema.map(({ table }) => table);
    await ownStatement(`make the tables of the inbox, ${tables.join(' and ')}`, async () => {
      const missing = await this.#database.transaction((sql) => this.#sql.missingTables(sql));
      if (missing.length === 0) return;
      if (!this.#createTables) throw noTables(`has no table ${missing.join(' and no table ')}`, `${this.#database.dialect}/0001_inbox.sql`);
      await this.#database.transaction((sql) => this.#sql.createMissingTables(sql));
    });
  }

  /**
   * Runs `work` in a transaction that also records the message. While another process is at the same message, it waits
   * for the outcome: committed there, it is a duplicate here; rolled back there, `work` runs here. Handlers may hold all but one
   * of the connections of the database; a later message waits for its turn.
   *
   * An error that `work` throws is thrown on unchanged, and nothing is stored. When the commit's answer is lost, the error may
   * come from a transaction that took effect: running the message again is safe, it is a duplicate then.
   *
   * The first transaction of an owner waits until those of the owner before are committed or undone, for as long as a statement
   * may take (`statement_timeout`). The transactions of one owner run beside each other.
   *
   * @throws OwnerFencedError the database knows another owner of the partition with as high an epoch; `work` was not run
   * @throws MillraceError INVALID_INPUT, DATABASE_FAILED, DATABASE_UNREACHABLE; BACK_PRESSURE: its turn did not come, or no
   *   connection became free
   */
  async run<T>(
    subscriber: Subscriber,
    messageId: string,
    work: Work<T>,
  ): Promise<InboxResult<T>> {
    assertName('subscriber', typeof subscriber === 'string' ? subscriber : subscriber.name);
    assertName('message id', messageId);
    await this.#turns.acquire(this.#limit);
    try {
      for (let beginning = 1; ; beginning += 1) {
        const result = await this.#transaction({ subscriber, messageId, isLast: beginning === MOST_BEGINNINGS }, work);
        if (result === 'not-owner') await this.#raise(subscriber as OwningSubscriber);
        else if (result !== 'refused') return result;
      }
    } finally {
      this.#turns.release();
    }
  }

  async #transaction<T>(entry: Entry, work: Work<T>): Promise<InboxResult<T> | 'not-owner' | 'refused'> {
    let isRecorded = false;
    try {
      return await this.#database.transaction<InboxResult<T> | 'not-owner'>(async (transaction) => {
        const recorded = await this.#record(transaction, entry);
        isRecorded = true;
        if (recorded !== 'recorded') return recorded === 'duplicate' ? { duplicate: true } : recorded;
        return { duplicate: false, value: await this.#database.guarded(this.#sql, transaction, work) };
      });
    } catch (thrown) {
      if (isRecorded || entry.isLast || !isRefusedLock(thrown as Error)) throw thrown;
      return 'refused';
    }
  }

  #record(transaction: SqlTransaction, { subscriber, messageId }: Entry): Promise<Recorded | 'not-owner'> {
    return ownStatement('record a message in the inbox (was prepare() called?)', async () => {
      if (this.#database.isForeign) await this.#sql.limit(transaction);
      if (typeof subscriber === 'string') return this.#sql.record(transaction, subscriber, messageId);
      return this.#sql.recordOwned(transaction, subscriber, messageId);
    });
  }

  /**
   * Has the database know an owner, in a transaction of its own: in that of a handler, all that begins meanwhile would wait for
   * that handler.
   */
  #raise(subscriber: OwningSubscriber): Promise<void> {
    const { name, partition, owner: { epoch, member } } = subscriber;
    const key = `${partition} ${epoch} ${member} ${name}`;
    const raising = this.#raising.get(key) ?? this.#raiseOwner(subscriber).finally(() => this.#raising.delete(key));
    this.#raising.set(key, raising);
    return raising;
  }

  async #raiseOwner(subscriber: OwningSubscriber): Promise<void> {
    const knownEpoch = await ownStatement('record the owner of a partition', () =>
      this.#database.transaction(async (transaction) => {
        if (this.#database.isForeign) await this.#sql.limit(transaction);
        return this.#sql.raiseOwner(transaction, subscriber);
      }),
    );
    if (knownEpoch !== null) throw fenced(subscriber, knownEpoch);
  }

  /** Begins to delete rows that are older than `keepMs`: now, and every hour. */
  start(): void {
    this.#purging ??= new Loop({
      name: 'inbox-purge',
      round: (signal) => this.#purge(signal),
      onError: (error, failures) => emit('loop-failed', { loop: 'inbox-purge', error: errorRecord(error), failures }),
    });
    this.#purging.start();
  }

  /** Resolves when nothing is being deleted any more. */
  async stop(): Promise<void> {
    const loop = this.#purging;
    this.#purging = null;
    await loop?.stop();
  }

  async #purge(signal: AbortSignal): Promise<number> {
    while (!signal.aborted) {
      const purge = (sql: SqlTransaction): Promise<number> => this.#sql.purge(sql, this.#keepMs, PURGE_BATCH);
      const deleted = await ownStatement('purge the inbox', () => this.#database.transaction(purge));
      if (deleted < PURGE_BATCH) break;
    }
    return PURGE_PAUSE_MS;
  }
}

type Subscriber = string | OwningSubscriber;

interface Entry {
  readonly subscriber: Subscriber;
  readonly messageId: string;
  /** Whether the transaction may not begin again. */
  readonly isLast: boolean;
}

type Work<T> = (transaction: SqlTransaction) => Promise<T>;

function assertName(what: string, value: unknown): void {
  if (typeof value === 'string' && value !== '' && !value.includes('\0') && Buffer.byteLength(value) <= LONGEST_NAME_BYTES) return;
  throw new MillraceError('INVALID_INPUT', `${quote(value)} cannot be a ${what}: it must be text of 1 to ${LONGEST_NAME_BYTES} bytes.`);
}

function fenced({ name, partition, owner: { epoch } }: OwningSubscriber, knownEpoch: number): OwnerFencedError {
  const what = `The database knows another owner of partition ${partition} of '${name}', under epoch ${knownEpoch}`;
  const why = 'Redis has lost epochs since, or this process owns the partition no more';
  const next = 'The message goes back uncounted, and whoever owns the partition goes above that epoch';
  const todo = 'There is nothing to do, unless two installations use one database: give each its own';
  return new OwnerFencedError(`${what}, and was asked for epoch ${epoch}: ${why}. ${next}. ${todo}.`, knownEpoch);
}

function noTurn(most: number, waitMs: number): MillraceError {
  const what = `The ${most} handlers that may hold a database connection at once have not ended for ${waitMs} ms`;
  return new MillraceError('BACK_PRESSURE', `${what}, so this one was not begun: give them a timeout, or handle fewer messages at once.`, {
    retryable: true,
  });
}
