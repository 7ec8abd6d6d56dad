import { durationMs, emit, errorRecord, type EventPlace, Loop, type Parsed, parseOptions, type SqlTransaction } from '@millrace/core';
import { ownStatement } from '../database/database-errors.js';
import { splitUrl } from '../database/database-options.js';
import type { SqlSource } from '../database/sql-source.js';
import type { OutboxPlace } from '../outbox/outbox-names.js';
import type { StoredRow } from '../outbox/outbox-row.js';
import { outboxSql } from '../outbox/outbox-dialect.js';
import type { OutboxSql, Statement } from '../outbox/outbox-sql.js';
import type { Failure } from './page.js';
import type { RelayPorts } from './publication.js';
import { LaneShare } from './lane-share.js';
import { type PageParts, type PageReport, relayPage } from './relay-page.js';
import { RelayOptions } from './relay-options.js';
import { TargetPauses } from './target-pauses.js';
import { WakeListener } from './wake-listener.js';

export interface RelayParts<Transaction> extends OutboxPlace {
  readonly source: SqlSource<Transaction>;
  readonly ports: RelayPorts;
}

/** Counts since the relay was made. */
export interface RelayStats {
  readonly published: number;
  /** Failed attempts after which a row is tried again. */
  readonly retried: number;
  readonly dead: number;
}

const NAME = 'outbox-relay';
const CLEANER = 'outbox-cleaner';
/** How long to wait when others hold all lanes that have rows. */
const TAKEN_MS = 100;
const CLEAN_PAUSE_MS = 60_000;
const CLEAN_ROWS = 1_000;
/** Rounds of a loop that fail in a row before that is a problem. */
const LASTING = 5;

/**
 * Publishes the rows of an outbox, in their order for each key. Any number of relays share the work: each takes lanes that no
 * other holds. Idle -> running -> stopped, for good.
 */
export class OutboxRelay<Transaction> {
  readonly #source: SqlSource<Transaction>;
  readonly #sql: OutboxSql;
  readonly #options: Parsed<Omit<RelayOptions, 'listen'>>;
  readonly #page: PageParts<Transaction>;
  readonly #share = new LaneShare();
  readonly #pauses = new TargetPauses();
  readonly #loops: readonly Loop[];
  readonly #cleaner: Loop;
  readonly #listener: WakeListener | null;
  readonly #stats = { published: 0, retried: 0, dead: 0 };
  #problem: string | null = null;

  /** @throws MillraceError INVALID_OPTIONS */
  constructor({ source, ports, table, schema }: RelayParts<Transaction>, options: RelayOptions = {}) {
    const parsed = parseOptions(RelayOptions, options, 'The relay of the outbox');
    const { attempts, backoff, keep, pageRows, concurrency } = parsed;
    this.#source = source;
    this.#sql = outboxSql(source.dialect, { table, schema });
    this.#options = parsed;
    this.#page = { source, sql: this.#sql, ports, rule: { attempts, backoff }, keepMs: durationMs(keep), pageRows };
    this.#loops = Array.from({ length: concurrency }, () => this.#loop(NAME, (signal) => this.#round(signal)));
    this.#cleaner = this.#loop(CLEANER, (signal) => this.#clean(signal));
    this.#listener = this.#listenerAt((parsed as RelayOptions).listen);
  }

  get stats(): RelayStats {
    return { ...this.#stats };
  }

  /** Whether it hears of new rows at once. */
  get isListening(): boolean {
    return this.#listener?.isListening ?? false;
  }

  /** Why rows are not published at present, when that lasts; null when all is well. */
  problem(): string | null {
    return this.#problem ?? this.#pauses.problem();
  }

  start(): void {
    for (const loop of [...this.#loops, this.#cleaner]) loop.start();
    this.#listener?.start();
  }

  /** Begins no page any more, and resolves when the running one is settled. */
  async stop(): Promise<void> {
    await Promise.all([...this.#loops, this.#cleaner, ...(this.#listener ? [this.#listener] : [])].map((part) => part.stop()));
  }

  /** Has it look for rows now. */
  wake(): void {
    for (const loop of this.#loops) loop.wake();
  }

  #listenerAt(url: string | undefined): WakeListener | null {
    const { channel } = this.#sql;
    if (url === undefined || channel === null) return null;
    return new WakeListener({ url: splitUrl(url).url, channel, onWake: () => this.wake() });
  }

  #loop(name: string, work: (signal: AbortSignal) => Promise<number>): Loop {
    return new Loop({
      name,
      round: async (signal) => {
        const pauseMs = await work(signal);
        if (name === NAME) this.#problem = null;
        return pauseMs;
      },
      onError: (error, failures) => {
        if (name === NAME && failures >= LASTING) this.#problem = error.message;
        emit('loop-failed', { loop: name, error: errorRecord(error), failures });
      },
    });
  }

  /** @returns how long to wait for the next */
  async #round(signal: AbortSignal): Promise<number> {
    const without = this.#pauses.targets();
    const lanes = await this.#dueLanes(without);
    let progress = 0;
    let taken = 0;
    for (const share of this.#share.of(lanes)) {
      if (signal.aborted) return 0;
      const report = await relayPage(this.#page, { lanes: share, without, signal });
      if (report === null) taken += 1;
      else progress += this.#count(report);
      if (report) this.#share.learn(report.isFull);
    }
    if (progress > 0) return 0;
    return Math.min(durationMs(this.#options.poll), this.#pauses.nextEndMs() ?? Infinity, taken > 0 ? TAKEN_MS : Infinity);
  }

  async #dueLanes(without: readonly string[]): Promise<number[]> {
    const rows = await this.#run('look for rows of the outbox', this.#sql.dueLanes(without));
    return rows.map((row) => Number((row as { lane: unknown }).lane));
  }

  /** @returns how many rows changed */
  #count({ published, failures, behind }: PageReport): number {
    for (const { target } of published) this.#pauses.end(target);
    if (published.length > 0) emit('outbox-published', { count: published.length, oldestMs: oldestOf(published) });
    this.#stats.published += published.length;
    const held = failures.filter(({ verdict }) => verdict.fate === 'held');
    for (const failure of failures) this.#report(failure);
    this.#hold(held);
    return published.length + behind.length + failures.length - held.length;
  }

  /** Once a page for each target, whatever number of its rows were not taken. */
  #hold(held: readonly Failure[]): void {
    for (const [target, { row, error }] of new Map(held.map((failure) => [failure.row.target, failure]))) {
      const { pauseMs, failures } = this.#pauses.hold(target, error.message);
      emit('outbox-held', { ...placeOf(row), error: errorRecord(error), failures, pauseMs });
    }
  }

  #report({ row, error, verdict }: Failure): void {
    if (verdict.fate === 'held') return;
    const what = { ...placeOf(row), messageId: row.id, attempt: row.attempts + 1, error: errorRecord(error) };
    if (verdict.fate === 'dead') {
      this.#stats.dead += 1;
      emit('outbox-failed', { ...what, outcome: 'dead' });
    } else {
      this.#stats.retried += 1;
      emit('outbox-failed', { ...what, outcome: 'retry', delayMs: verdict.inMs });
    }
  }

  async #clean(signal: AbortSignal): Promise<number> {
    while (!signal.aborted) {
      const removed = await this.#source.transaction((transaction) => this.#removeKept(this.#source.within(transaction)));
      if (removed < CLEAN_ROWS) break;
    }
    return Math.min(CLEAN_PAUSE_MS, Math.max(1_000, this.#page.keepMs));
  }

  /** @returns how many rows were kept for long enough */
  async #removeKept(sql: SqlTransaction): Promise<number> {
    const attempt = 'remove published rows of the outbox';
    const kept = this.#sql.kept(CLEAN_ROWS);
    const { rows } = await ownStatement(attempt, () => sql.query<{ position: unknown }>(kept.text, kept.parameters));
    if (rows.length === 0) return 0;
    const removal = this.#sql.remove(rows.map(({ position }) => String(position)));
    await ownStatement(attempt, () => sql.query(removal.text, removal.parameters));
    return rows.length;
  }

  async #run(attempt: string, { text, parameters }: Statement): Promise<unknown[]> {
    return this.#source.transaction(async (transaction) => {
      const { rows } = await ownStatement(attempt, () => this.#source.within(transaction).query(text, parameters));
      return rows;
    });
  }
}

function placeOf({ kind, target }: StoredRow): EventPlace {
  return kind === 'job' ? { queue: target } : { topic: target };
}

function oldestOf(rows: readonly StoredRow[]): number {
  return Math.round(rows.reduce((oldest, { ageMs }) => Math.max(oldest, ageMs), 0));
}
