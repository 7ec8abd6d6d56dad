import type { NewRow } from './outbox-row.js';

export interface Statement {
  readonly text: string;
  readonly parameters: readonly unknown[];
}

/** A key of a lane. */
export interface LaneKey {
  readonly lane: number;
  readonly kind: string;
  readonly target: string;
  readonly key: string;
}

/** Lanes, and the targets of which nothing is to be read for now. */
export interface Wanted {
  readonly lanes: readonly number[];
  readonly limit: number;
  readonly without: readonly string[];
}

/** A row that failed. */
export interface Failed {
  readonly position: string;
  readonly error: string;
}

/** The SQL of an outbox in one dialect. Rows are named by their positions, which the database counts. */
export interface OutboxSql {
  /** Make the tables and the rows of the lanes, when they are not there. */
  readonly schema: readonly string[];
  /** Says whether the tables are there: one row, `ready`. */
  readonly isReady: Statement;
  /** @param wakes whether relays are told, where the database can do that, once the transaction is committed */
  insert(rows: readonly NewRow[], wakes: boolean): Statement;
  /** Tells relays, once the transaction is committed, that there are rows; null where the database cannot. */
  readonly wake: Statement | null;
  /** The channel on which relays are told; null where the database has none. */
  readonly channel: string | null;
  /** `lane` of each that has a row to publish now. */
  dueLanes(without: readonly string[]): Statement;
  /** Locks those lanes that nobody else has, to the end of the transaction: `lane`, `isolation` of the transaction or null. */
  lockLanes(lanes: readonly number[]): Statement;
  /** The first rows of each lane, by position. */
  pending(wanted: Wanted): Statement;
  /** Rows that failed and are due again. */
  due(wanted: Wanted): Statement;
  /** `kind`, `target`, `message_key`, `is_due` of each row that failed and is to be tried again. */
  failed(lanes: readonly number[]): Statement;
  remove(positions: readonly string[]): Statement;
  keep(positions: readonly string[], forMs: number): Statement;
  retry(failed: Failed, inMs: number): Statement;
  bury(failed: Failed): Statement;
  /** Puts rows behind a failed one of their key. */
  hold(positions: readonly string[]): Statement;
  /** Makes the rows pending that stand behind one of their key that is done. */
  release(key: LaneKey): Statement;
  dead(limit: number, after: string): Statement;
  redrive(ids: readonly string[]): Statement;
  /** `position` of published rows that were kept for long enough. */
  kept(limit: number): Statement;
  /** One row: `pending`, `waiting`, `dead`, `oldest_ms`. */
  readonly counts: Statement;
}
