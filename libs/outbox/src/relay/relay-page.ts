import { MillraceError, type SqlTransaction } from '@millrace/core';
import { ownStatement } from '../database/database-errors.js';
import type { SqlSource } from '../database/sql-source.js';
import type { RowKind, RowState, StoredRow } from '../outbox/outbox-row.js';
import type { OutboxSql, Statement } from '../outbox/outbox-sql.js';
import { keyOf, Page, type PageResult, type PageRows } from './page.js';
import type { RelayPorts } from './publication.js';
import type { AttemptRule } from './verdict.js';

export interface PageParts<Transaction> {
  readonly source: SqlSource<Transaction>;
  readonly sql: OutboxSql;
  readonly ports: RelayPorts;
  readonly rule: AttemptRule;
  /** How long published rows are kept; 0: not at all. */
  readonly keepMs: number;
  readonly pageRows: number;
}

/** The lanes that a page may take, and the targets that it leaves alone. */
export interface PageWish {
  readonly lanes: readonly number[];
  readonly without: readonly string[];
  readonly signal: AbortSignal;
}

export interface PageReport extends PageResult {
  readonly isFull: boolean;
}

/**
 * Publishes one page of rows in one transaction:
 *
 * 1. Lanes are locked. One that another relay holds is passed over, and so nobody else publishes or changes rows of these.
 * 2. Their rows are read, by a statement that begins once the locks are had: it sees all that the holder before has done.
 * 3. The rows are published.
 * 4. Those that Redis has confirmed are removed, the others are marked, and the transaction is committed.
 *
 * A relay that dies anywhere before the end has its transaction undone by the database: what it published is published again,
 * under the same ids, and is a duplicate.
 */
export async function relayPage<T>(parts: PageParts<T>, wish: PageWish): Promise<PageReport | null> {
  return parts.source.transaction(async (transaction) => {
    const sql = parts.source.within(transaction);
    const lanes = await lockedLanes(sql, parts.sql, wish.lanes);
    if (lanes.length === 0) return null;
    const found = await rowsOf(sql, parts, { ...wish, lanes });
    const result = await new Page(found).publish(parts.ports, parts.rule, wish.signal);
    await settle(sql, parts, result);
    return { ...result, isFull: found.rows.length >= parts.pageRows };
  });
}

async function lockedLanes(sql: SqlTransaction, own: OutboxSql, wanted: readonly number[]): Promise<number[]> {
  const rows = await run(sql, 'lock lanes of the outbox', own.lockLanes(wanted));
  const isolation = textOrNull(rows[0]?.['isolation']);
  if (isolation !== null && isolation !== 'read committed') throw wrongIsolation(isolation);
  return rows.map(({ lane }) => Number(lane));
}

async function rowsOf<T>(sql: SqlTransaction, parts: PageParts<T>, { lanes, without }: PageWish): Promise<PageRows> {
  const { sql: own, pageRows } = parts;
  const wanted = { lanes, limit: pageRows, without };
  const pending = await run(sql, 'read rows of the outbox', own.pending(wanted));
  const failed = await run(sql, 'read failed rows of the outbox', own.failed(lanes));
  const isAnyDue = failed.some(({ is_due: isDue }) => Boolean(Number(isDue)));
  const due = isAnyDue ? await run(sql, 'read failed rows of the outbox', own.due(wanted)) : [];
  const keys = failed.map((row) => keyOf(ownerOf(row)));
  return { rows: [...due, ...pending].map(storedRow), waitingKeys: new Set(keys.filter((key) => key !== null)) };
}

async function settle<T>(sql: SqlTransaction, { sql: own, keepMs }: PageParts<T>, result: PageResult): Promise<void> {
  const attempt = 'settle rows of the outbox';
  const published = result.published.map(({ position }) => position);
  if (published.length > 0) await run(sql, attempt, keepMs > 0 ? own.keep(published, keepMs) : own.remove(published));
  for (const { row, error, verdict } of result.failures) {
    const failed = { position: row.position, error: textOf(error) };
    if (verdict.fate === 'retry') await run(sql, attempt, own.retry(failed, verdict.inMs));
    if (verdict.fate === 'dead') await run(sql, attempt, own.bury(failed));
  }
  if (result.behind.length > 0) await run(sql, attempt, own.hold(result.behind.map(({ position }) => position)));
  for (const { lane, kind, target, key } of result.freed) {
    if (key !== null) await run(sql, attempt, own.release({ lane, kind, target, key }));
  }
}

type Row = Record<string, unknown>;

async function run(sql: SqlTransaction, attempt: string, { text, parameters }: Statement): Promise<Row[]> {
  const { rows } = await ownStatement(attempt, () => sql.query<Row>(text, parameters));
  return rows;
}

function ownerOf(row: Row): Pick<StoredRow, 'kind' | 'target' | 'key'> {
  return { kind: row['kind'] as RowKind, target: String(row['target']), key: textOrNull(row['message_key']) };
}

/** Drivers give numbers of 64 bits as text or as numbers. */
function storedRow(row: Row): StoredRow {
  return {
    position: String(row['position']),
    id: String(row['id']),
    lane: Number(row['lane']),
    ...ownerOf(row),
    envelope: String(row['envelope']),
    payload: String(row['payload']),
    state: row['state'] as RowState,
    attempts: Number(row['attempts']),
    ageMs: Number(row['age_ms']),
  };
}

function textOrNull(value: unknown): string | null {
  return typeof value === 'string' ? value : null;
}

const LONGEST_ERROR = 2_000;

/** Without NUL, which no SQL text can have. */
function textOf(error: Error): string {
  const code = (error as { code?: unknown }).code;
  return `${typeof code === 'string' ? `${code}: ` : ''}${error.message}`.replaceAll('\0', '').slice(0, LONGEST_ERROR);
}

function wrongIsolation(isolation: string): MillraceError {
  const what = `The relay of the outbox was given a transaction that is ${isolation}, in which it cannot see what the relay before it has done`;
  return new MillraceError('DATABASE_FAILED', `${what}. Let the source begin its transactions as read committed, the default of PostgreSQL.`);
}
