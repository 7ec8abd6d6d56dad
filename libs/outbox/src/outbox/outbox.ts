import {
  asError, type JobPort, type MessageDraft, MessageDrafts, MillraceError, type PayloadClass, type PublishOptions, quote,
  type SqlTransaction, type TopicOf, type TopicRef, type UnknownProperties,
} from '@millrace/core';
import { ownStatement } from '../database/database-errors.js';
import type { SqlSource } from '../database/sql-source.js';
import { deadRowOf, type DeadQuery, type DeadRow } from './dead-row.js';
import type { OutboxPlace } from './outbox-names.js';
import { jobRow, messageRow, type NewRow } from './outbox-row.js';
import { outboxSql } from './outbox-dialect.js';
import type { OutboxSql, Statement } from './outbox-sql.js';
import { prepareOutbox } from './outbox-tables.js';

/** Options of a publish by the outbox: those of `Publisher`, without `deadline`. */
export type OutboxPublishOptions = Omit<PublishOptions, 'deadline'>;

/** One message of {@link Outbox.publishAll}. */
export interface OutboxItem<T> extends OutboxPublishOptions {
  readonly payload: T;
}

/** Options of an enqueue by the outbox: those of `JobQueue`. */
export interface OutboxEnqueueOptions {
  readonly delay?: string | undefined;
  readonly idempotencyKey?: string | undefined;
  readonly priority?: number | undefined;
}

/** One job of {@link Outbox.enqueueAll}. */
export interface OutboxJobItem<T> extends OutboxEnqueueOptions {
  readonly payload: T;
}

export interface OutboxReceipt {
  /** The id of the message, or the beginning of that of the job. */
  readonly id: string;
}

/** Rows of an outbox that are not published. */
export interface OutboxCounts {
  readonly pending: number;
  /** Rows that failed and are tried again, and those of their keys behind them. */
  readonly waiting: number;
  readonly dead: number;
  /** The age of the oldest row that is pending or waiting; null when there is none. */
  readonly oldestMs: number | null;
}

export interface OutboxParts<Transaction> extends OutboxPlace {
  /** The database of the application. */
  readonly source: SqlSource<Transaction>;
  /** Whether tables that are not there are made. Default true. */
  readonly createTables?: boolean | undefined;
  /** Absent: nothing can be enqueued. */
  readonly jobs?: JobPort | undefined;
  /** For topics that say nothing themselves. Default `refuse`. */
  readonly unknownProperties?: UnknownProperties | undefined;
  /** Whether relays are told of new rows (`NOTIFY`), in PostgreSQL. Default true. */
  readonly wakes?: boolean | undefined;
}

/** Rows in one statement at the most: a statement of PostgreSQL has at most 65,535 parameters. */
const MOST_ROWS = 1_000;
const MOST_DEAD = 500;

/**
 * Stores messages and jobs in the transaction of the caller, in the caller's own database. A relay publishes them once the
 * transaction is committed; one that is rolled back publishes nothing.
 *
 * @typeParam Transaction an open transaction of the library that the application reaches its database by
 */
export class Outbox<Transaction = SqlTransaction> {
  readonly #source: SqlSource<Transaction>;
  readonly #sql: OutboxSql;
  readonly #drafts: MessageDrafts;
  readonly #jobs: JobPort | undefined;
  readonly #wakes: boolean;
  readonly #createTables: boolean;

  /** @throws MillraceError INVALID_OPTIONS */
  constructor(parts: OutboxParts<Transaction>) {
    const { source, jobs, unknownProperties, createTables = true, wakes = true, table, schema } = parts;
    this.#source = source;
    this.#sql = outboxSql(source.dialect, { table, schema });
    this.#drafts = new MessageDrafts(unknownProperties);
    this.#jobs = jobs;
    this.#wakes = wakes;
    this.#createTables = createTables;
  }

  /**
   * Makes the tables that are not there; any number of processes may do so at once.
   *
   * @throws MillraceError DATABASE_FAILED, also when tables are not there and it may not make them; DATABASE_UNREACHABLE
   */
  prepare(): Promise<void> {
    return prepareOutbox(this.#source, this.#sql, this.#createTables);
  }

  /**
   * Publishes a message when the transaction is committed. It is validated and written at once.
   *
   * @throws MillraceError NOT_A_TOPIC, INVALID_OPTIONS, INVALID_PAYLOAD, UNSERIALIZABLE_PAYLOAD, PAYLOAD_TOO_LARGE,
   *   INVALID_HEADERS: no statement was run
   * @throws the error of the database's own library, when the row cannot be stored: the transaction is of no use then
   */
  // eslint-disable-next-line no-restricted-syntax -- as `Publisher.publish`, with the transaction before it
  async publish<T>(
    transaction: Transaction,
    topic: TopicOf<T>,
    payload: NoInfer<T>,
    options?: OutboxPublishOptions,
  ): Promise<OutboxReceipt> {
    const where = `outbox.publish(${nameOf(topic)})`;
    const draft = await this.#drafts.draft(topic as TopicRef, { payload, options, where });
    return (await this.#store(transaction, [messageRow(draft)]))[0]!;
  }

  /**
   * As {@link publish}, for many messages in their order, in one statement for each thousand of them. All are validated first:
   * when one is not valid, no statement is run.
   */
  async publishAll<T>(
    transaction: Transaction,
    topic: TopicOf<T>,
    items: readonly OutboxItem<NoInfer<T>>[],
  ): Promise<OutboxReceipt[]> {
    const where = `outbox.publishAll(${nameOf(topic)})`;
    const draft = (item: OutboxItem<T>, place: string): MessageDraft | Promise<MessageDraft> => {
      const { payload, ...options } = item;
      return this.#drafts.draft(topic as TopicRef, { payload, options, where: place });
    };
    return this.#store(transaction, (await draftsOf(items, where, draft)).map(messageRow));
  }

  /**
   * Enqueues a job when the transaction is committed. It is validated and written at once.
   *
   * @throws MillraceError NOT_A_JOB, INVALID_OPTIONS, INVALID_PAYLOAD, UNSERIALIZABLE_PAYLOAD, PAYLOAD_TOO_LARGE: no statement
   *   was run
   * @throws the error of the database's own library, when the row cannot be stored: the transaction is of no use then
   */
  // eslint-disable-next-line no-restricted-syntax -- as `JobQueue.enqueue`, with the transaction before it
  async enqueue<T extends object>(
    transaction: Transaction,
    job: PayloadClass<T>,
    payload: NoInfer<T>,
    options: OutboxEnqueueOptions = {},
  ): Promise<OutboxReceipt> {
    const draft = await this.#jobPort().draft(job, { payload, options, where: `outbox.enqueue(${nameOf(job)})` });
    return (await this.#store(transaction, [jobRow(draft)]))[0]!;
  }

  /** As {@link enqueue}, for many jobs in their order, in one statement for each thousand of them. */
  async enqueueAll<T extends object>(
    transaction: Transaction,
    job: PayloadClass<T>,
    items: readonly OutboxJobItem<NoInfer<T>>[],
  ): Promise<OutboxReceipt[]> {
    const port = this.#jobPort();
    const drafts = await draftsOf(items, `outbox.enqueueAll(${nameOf(job)})`, (item: OutboxJobItem<T>, where) => {
      const { payload, ...options } = item;
      return port.draft(job, { payload, options, where });
    });
    return this.#store(transaction, drafts.map(jobRow));
  }

  /** Rows that failed for good, the oldest first. @throws MillraceError INVALID_INPUT, DATABASE_FAILED */
  async dead({ limit = 100, after = '0' }: DeadQuery = {}): Promise<DeadRow[]> {
    if (!Number.isInteger(limit) || limit < 1 || limit > MOST_DEAD) throw invalid(`dead(): limit must be 1 to ${MOST_DEAD}`);
    if (typeof after !== 'string' || !/^\d{1,18}$/.test(after)) throw invalid('dead(): after must be the position of a dead row');
    const { rows } = await this.#run('read dead rows of the outbox', this.#sql.dead(limit, after));
    return rows.map((row) => deadRowOf(row as Record<string, unknown>));
  }

  /**
   * Has dead rows published again, with all their attempts, also when other rows of their keys have gone on meanwhile.
   *
   * @returns how many of them were dead
   * @throws MillraceError INVALID_INPUT, DATABASE_FAILED
   */
  async redrive(ids: readonly string[]): Promise<number> {
    if (!Array.isArray(ids) || ids.length > MOST_DEAD || !ids.every((id) => UUID.test(String(id)))) {
      throw invalid(`redrive(): the ids must be an array of at most ${MOST_DEAD} ids of dead rows`);
    }
    if (ids.length === 0) return 0;
    return this.#source.transaction(async (transaction) => {
      const sql = this.#source.within(transaction);
      const { rowCount } = await run(sql, 'redrive dead rows of the outbox', this.#sql.redrive(ids));
      if (this.#sql.wake) await run(sql, 'wake the relay of the outbox', this.#sql.wake);
      return rowCount;
    });
  }

  /** It counts rows one by one: for a dashboard, not for each request. @throws MillraceError DATABASE_FAILED */
  async counts(): Promise<OutboxCounts> {
    const { rows } = await this.#run('count the rows of the outbox', this.#sql.counts);
    const { pending, waiting, dead, oldest_ms: oldest } = rows[0] as Record<string, unknown>;
    const oldestMs = oldest === null ? null : Number(oldest);
    return { pending: Number(pending), waiting: Number(waiting), dead: Number(dead), oldestMs };
  }

  async #store(transaction: Transaction, rows: readonly NewRow[]): Promise<OutboxReceipt[]> {
    const sql = this.#source.within(transaction);
    for (let from = 0; from < rows.length; from += MOST_ROWS) {
      const { text, parameters } = this.#sql.insert(rows.slice(from, from + MOST_ROWS), this.#wakes);
      await sql.query(text, parameters);
    }
    return rows.map(({ id }) => ({ id }));
  }

  #run(attempt: string, statement: Statement): ReturnType<typeof run> {
    return this.#source.transaction((transaction) => run(this.#source.within(transaction), attempt, statement));
  }

  #jobPort(): JobPort {
    if (this.#jobs) return this.#jobs;
    throw new MillraceError('INVALID_OPTIONS', 'This outbox cannot enqueue: give it the port of jobs.');
  }
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

function run(sql: SqlTransaction, attempt: string, { text, parameters }: Statement): ReturnType<SqlTransaction['query']> {
  return ownStatement(attempt, () => sql.query(text, parameters));
}

type Drafting<Item, D> = (item: Item, place: string) => D | Promise<D>;

/** Drafts of all items. The caller may go on with its objects once it waits. @throws the first error, with the item's number */
async function draftsOf<Item, D>(items: readonly Item[], where: string, draft: Drafting<Item, D>): Promise<D[]> {
  if (!Array.isArray(items)) throw invalid(`${where}: the items must be an array`);
  const attempt = (item: Item, index: number): D | Promise<D> => {
    const place = `${where}, item ${index}`;
    if (item === null || typeof item !== 'object') throw invalid(`${place} must be an object with a payload`);
    return draft(item, place);
  };
  const made = Array.from(items as readonly Item[], (item, index) => {
    try {
      return attempt(item, index);
    } catch (thrown) {
      return Promise.reject(asError(thrown));
    }
  });
  return Promise.all(made);
}

function invalid(what: string): MillraceError {
  return new MillraceError('INVALID_INPUT', `${what}.`);
}

function nameOf(contract: unknown): string {
  const name: unknown = (contract as { name?: unknown } | null | undefined)?.name;
  return typeof name === 'string' ? name : quote(contract);
}

