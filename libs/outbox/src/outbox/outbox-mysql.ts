import { LANES } from './lanes.js';
import type { OutboxNames } from './outbox-names.js';
import { INSERTED, type NewRow, valuesOf } from './outbox-row.js';
import type { Failed, LaneKey, OutboxSql, Statement, Wanted } from './outbox-sql.js';

const COLUMNS = 'position, id, lane, kind, target, message_key, envelope, payload, state, attempts';
const NOW = 'UTC_TIMESTAMP(6)';
const AGE = `TIMESTAMPDIFF(MICROSECOND, created_at, ${NOW}) / 1000 AS age_ms`;

/** The statements that make an outbox. Texts are compared byte for byte: keys that differ in case are different keys. */
function mysqlOutboxSchema({ table, laneTable, plain }: OutboxNames): string[] {
  const lanes = Array.from({ length: LANES }, (_, lane) => `(${lane})`).join(', ');
  return [
    `CREATE TABLE IF NOT EXISTS ${table} (
  position bigint NOT NULL AUTO_INCREMENT PRIMARY KEY,
  id char(36) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  lane smallint NOT NULL,
  kind varchar(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  target varchar(128) CHARACTER SET ascii COLLATE ascii_bin NOT NULL,
  message_key varchar(1024) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  envelope mediumtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  payload longtext CHARACTER SET utf8mb4 COLLATE utf8mb4_bin NOT NULL,
  state varchar(16) CHARACTER SET ascii COLLATE ascii_bin NOT NULL DEFAULT 'pending',
  attempts integer NOT NULL DEFAULT 0,
  created_at datetime(6) NOT NULL,
  next_at datetime(6),
  last_error text CHARACTER SET utf8mb4 COLLATE utf8mb4_bin,
  INDEX ${plain}_by_lane (state, lane, position),
  INDEX ${plain}_by_time (state, next_at)
) ENGINE = InnoDB`,
    `CREATE TABLE IF NOT EXISTS ${laneTable} (lane smallint PRIMARY KEY) ENGINE = InnoDB`,
    `INSERT IGNORE INTO ${laneTable} (lane) VALUES ${lanes}`,
  ];
}

/**
 * The SQL of an outbox in MySQL 8 and MariaDB 10.6 and above. Each parameter stands once, in the order of the text.
 *
 * InnoDB locks every row that a statement looks at, not only those that it changes, and a small table is looked at from its
 * beginning to its end: a relay would wait for the rows of every transaction of the application that is open. So each statement
 * that locks is held to the index which leads to its own rows.
 */
export class MysqlOutbox implements OutboxSql {
  readonly #names: OutboxNames;
  readonly schema: readonly string[];
  readonly isReady: Statement;
  readonly wake = null;
  readonly channel = null;
  readonly counts: Statement;

  constructor(names: OutboxNames) {
    const { table, laneTable } = names;
    this.#names = names;
    this.schema = mysqlOutboxSchema(names);
    const isNamed = (name: string): string => {
      const [plain, schema] = name.replaceAll('`', '').split('.').reverse();
      return `(table_name = '${plain!}' AND table_schema = ${schema === undefined ? 'DATABASE()' : `'${schema}'`})`;
    };
    const where = `${isNamed(table)} OR ${isNamed(laneTable)}`;
    this.isReady = bare(`SELECT COUNT(*) = 2 AS ready FROM information_schema.tables WHERE ${where}`);
    this.counts = bare(
      `SELECT COALESCE(SUM(state = 'pending'), 0) AS pending, COALESCE(SUM(state = 'waiting'), 0) AS waiting,
              COALESCE(SUM(state = 'dead'), 0) AS dead,
              TIMESTAMPDIFF(MICROSECOND, MIN(CASE WHEN state <> 'dead' THEN created_at END), ${NOW}) / 1000 AS oldest_ms
       FROM ${table} WHERE state IN ('pending', 'waiting', 'dead')`,
    );
  }

  insert(rows: readonly NewRow[]): Statement {
    const parameters = rows.flatMap(valuesOf);
    const width = INSERTED.length;
    const place = (row: number, at: number): string => `$${row * width + at + 1}`;
    const values = rows.map((_, row) => `(${Array.from({ length: width }, (_none, at) => place(row, at)).join(', ')}, ${NOW})`);
    const text = `INSERT INTO ${this.#names.table} (${INSERTED.join(', ')}, created_at) VALUES ${values.join(', ')}`;
    return { text, parameters };
  }

  dueLanes(without: readonly string[]): Statement {
    const { table, laneTable } = this.#names;
    const pending = exceptTargets(without, 1);
    const waiting = exceptTargets(without, without.length + 1);
    const isPending = `EXISTS (SELECT 1 FROM ${table} AS o WHERE o.state = 'pending' AND o.lane = l.lane${pending.clause})`;
    const isWaiting = `EXISTS (SELECT 1 FROM ${table} AS o
      WHERE o.state = 'waiting' AND o.lane = l.lane AND o.next_at <= ${NOW}${waiting.clause})`;
    const text = `SELECT l.lane FROM ${laneTable} AS l WHERE ${isPending} OR ${isWaiting}`;
    return { text, parameters: [...pending.parameters, ...waiting.parameters] };
  }

  lockLanes(lanes: readonly number[]): Statement {
    return bare(`SELECT lane, NULL AS isolation FROM ${this.#names.laneTable}
      FORCE INDEX (PRIMARY) WHERE lane IN (${lanes.join(', ')}) FOR UPDATE SKIP LOCKED`);
  }

  /** MariaDB has no lateral joins. */
  pending({ lanes, limit, without }: Wanted): Statement {
    const each = Math.ceil(limit / lanes.length);
    const parts = lanes.map((lane, at) => {
      const { clause } = exceptTargets(without, at * without.length + 1);
      return `(SELECT ${COLUMNS}, ${AGE} FROM ${this.#names.table} AS o
        WHERE o.state = 'pending' AND o.lane = ${lane}${clause} ORDER BY o.position LIMIT ${each})`;
    });
    return { text: `${parts.join(' UNION ALL ')} ORDER BY position`, parameters: lanes.flatMap(() => without) };
  }

  due({ lanes, limit, without }: Wanted): Statement {
    const { clause, parameters } = exceptTargets(without, 1);
    const isDue = `o.state = 'waiting' AND o.lane IN (${lanes.join(', ')}) AND o.next_at <= ${NOW}${clause}`;
    return { text: `SELECT ${COLUMNS}, ${AGE} FROM ${this.#names.table} AS o WHERE ${isDue} ORDER BY position LIMIT ${limit}`, parameters };
  }

  failed(lanes: readonly number[]): Statement {
    return bare(
      `SELECT kind, target, message_key, next_at <= ${NOW} AS is_due FROM ${this.#names.table}
       WHERE state = 'waiting' AND lane IN (${lanes.join(', ')}) AND next_at IS NOT NULL`,
    );
  }

  remove(positions: readonly string[]): Statement {
    return bare(`DELETE o FROM ${this.#names.table} AS o FORCE INDEX (PRIMARY) WHERE o.position IN (${positions.join(', ')})`);
  }

  keep(positions: readonly string[], forMs: number): Statement {
    return bare(
      `UPDATE ${this.#own} SET state = 'published', next_at = ${later(forMs)}, last_error = NULL WHERE position IN (${positions.join(', ')})`,
    );
  }

  retry({ position, error }: Failed, inMs: number): Statement {
    const text = `UPDATE ${this.#own}
      SET state = 'waiting', attempts = attempts + 1, next_at = ${later(inMs)}, last_error = $1 WHERE position = ${position}`;
    return { text, parameters: [error] };
  }

  bury({ position, error }: Failed): Statement {
    const text = `UPDATE ${this.#own}
      SET state = 'dead', attempts = attempts + 1, next_at = NULL, last_error = $1 WHERE position = ${position}`;
    return { text, parameters: [error] };
  }

  hold(positions: readonly string[]): Statement {
    return bare(`UPDATE ${this.#own} SET state = 'waiting', next_at = NULL WHERE position IN (${positions.join(', ')})`);
  }

  release({ lane, kind, target, key }: LaneKey): Statement {
    const text = `UPDATE ${this.#names.table} FORCE INDEX (${this.#names.plain}_by_lane) SET state = 'pending'
      WHERE state = 'waiting' AND lane = ${lane} AND next_at IS NULL AND kind = $1 AND target = $2 AND message_key = $3`;
    return { text, parameters: [kind, target, key] };
  }

  dead(limit: number, after: string): Statement {
    return bare(
      `SELECT position, id, kind, target, message_key, envelope, payload, attempts, last_error,
        TIMESTAMPDIFF(MICROSECOND, '1970-01-01', created_at) / 1000 AS created_ms
       FROM ${this.#names.table} WHERE state = 'dead' AND position > ${after} ORDER BY position LIMIT ${limit}`,
    );
  }

  redrive(ids: readonly string[]): Statement {
    const text = `UPDATE ${this.#names.table} FORCE INDEX (${this.#names.plain}_by_lane) SET state = 'pending', attempts = 0
      WHERE state = 'dead' AND id IN (${ids.map((_, at) => `$${at + 1}`).join(', ')})`;
    return { text, parameters: ids };
  }

  kept(limit: number): Statement {
    return bare(`SELECT position FROM ${this.#names.table} WHERE state = 'published' AND next_at <= ${NOW} ORDER BY next_at LIMIT ${limit}`);
  }

  /** The table, whose rows are found by their positions. */
  get #own(): string {
    return `${this.#names.table} FORCE INDEX (PRIMARY)`;
  }
}

function bare(text: string): Statement {
  return { text, parameters: [] };
}

function later(ms: number): string {
  return `${NOW} + INTERVAL ${Math.round(ms * 1_000)} MICROSECOND`;
}

function exceptTargets(targets: readonly string[], from: number): { clause: string; parameters: readonly string[] } {
  if (targets.length === 0) return { clause: '', parameters: [] };
  return { clause: ` AND o.target NOT IN (${targets.map((_, at) => `$${from + at}`).join(', ')})`, parameters: targets };
}
