import { LANES } from './lanes.js';
import type { OutboxNames } from './outbox-names.js';
import { INSERTED, type NewRow, valuesOf } from './outbox-row.js';
import type { Failed, LaneKey, OutboxSql, Statement, Wanted } from './outbox-sql.js';

const COLUMNS = 'position, id, lane, kind, target, message_key, envelope, payload, state, attempts';
const AGE = 'extract(epoch FROM clock_timestamp() - created_at) * 1000 AS age_ms';

/** The statements that make an outbox: its table, with one small index for new rows, and the table of its lanes. */
function postgresOutboxSchema({ table, laneTable, plain }: OutboxNames): string[] {
  return [
    `CREATE TABLE IF NOT EXISTS ${table} (
  position bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  id uuid NOT NULL,
  lane smallint NOT NULL,
  kind text NOT NULL,
  target text NOT NULL,
  message_key text,
  envelope text NOT NULL,
  payload text NOT NULL,
  state text NOT NULL DEFAULT 'pending',
  attempts integer NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  next_at timestamptz,
  last_error text
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 5000)`,
    `CREATE INDEX IF NOT EXISTS ${plain}_pending ON ${table} (lane, position) WHERE state = 'pending'`,
    `CREATE INDEX IF NOT EXISTS ${plain}_waiting ON ${table} (lane, next_at) WHERE state = 'waiting'`,
    `CREATE INDEX IF NOT EXISTS ${plain}_published ON ${table} (next_at) WHERE state = 'published'`,
    `CREATE INDEX IF NOT EXISTS ${plain}_dead ON ${table} (position) WHERE state = 'dead'`,
    `CREATE TABLE IF NOT EXISTS ${laneTable} (lane smallint PRIMARY KEY)`,
    `INSERT INTO ${laneTable} (lane) SELECT generate_series(0, ${LANES - 1}) ON CONFLICT DO NOTHING`,
  ];
}

/** The SQL of an outbox in PostgreSQL. */
export class PostgresOutbox implements OutboxSql {
  readonly #names: OutboxNames;
  readonly schema: readonly string[];
  readonly isReady: Statement;
  readonly wake: Statement;
  readonly channel: string;
  readonly counts: Statement;

  constructor(names: OutboxNames) {
    const { table, laneTable, channel } = names;
    this.#names = names;
    this.schema = postgresOutboxSchema(names);
    const lanesThere = `to_regclass('${laneTable}') IS NOT NULL`;
    this.isReady = bare(`SELECT to_regclass('${table}') IS NOT NULL AND ${lanesThere} AS ready`);
    this.channel = channel;
    this.wake = bare(`SELECT pg_notify('${channel}', '')`);
    this.counts = bare(
      `SELECT count(*) FILTER (WHERE state = 'pending') AS pending, count(*) FILTER (WHERE state = 'waiting') AS waiting,
              count(*) FILTER (WHERE state = 'dead') AS dead,
              extract(epoch FROM clock_timestamp() - min(created_at) FILTER (WHERE state <> 'dead')) * 1000 AS oldest_ms
       FROM ${table} WHERE state IN ('pending', 'waiting', 'dead')`,
    );
  }

  /** One round trip: relays are told by the same statement, which takes effect when the transaction is committed. */
  insert(rows: readonly NewRow[], wakes: boolean): Statement {
    const parameters = rows.flatMap(valuesOf);
    const width = INSERTED.length;
    const values = rows.map((_, row) => `(${Array.from({ length: width }, (_none, at) => `$${row * width + at + 1}`).join(', ')})`);
    const insert = `INSERT INTO ${this.#names.table} (${INSERTED.join(', ')}) VALUES ${values.join(', ')}`;
    return { text: wakes ? `WITH stored AS (${insert}) ${this.wake.text}` : insert, parameters };
  }

  dueLanes(without: readonly string[]): Statement {
    const { table, laneTable } = this.#names;
    const { clause, parameters } = exceptTargets(without, 1);
    const row = (condition: string): string => `EXISTS (SELECT FROM ${table} AS o WHERE o.lane = l.lane AND ${condition}${clause})`;
    const isDue = `${row(`o.state = 'pending'`)} OR ${row(`o.state = 'waiting' AND o.next_at <= clock_timestamp()`)}`;
    return { text: `SELECT l.lane FROM ${laneTable} AS l WHERE ${isDue}`, parameters };
  }

  /** The commit of a relay does not wait for the disk: rows that a crash of the server brings back are published again. */
  lockLanes(lanes: readonly number[]): Statement {
    return bare(
      `SELECT lane, current_setting('transaction_isolation') AS isolation, set_config('synchronous_commit', 'off', true) AS commit
       FROM ${this.#names.laneTable} WHERE lane IN (${lanes.join(', ')}) FOR UPDATE SKIP LOCKED`,
    );
  }

  pending({ lanes, limit, without }: Wanted): Statement {
    const { clause, parameters } = exceptTargets(without, 1);
    const each = Math.ceil(limit / lanes.length);
    const first = `SELECT ${COLUMNS}, created_at FROM ${this.#names.table} AS o
      WHERE o.lane = l.lane AND o.state = 'pending'${clause} ORDER BY o.position LIMIT ${each}`;
    const values = lanes.map((lane) => `(${lane})`).join(', ');
    const text = `SELECT o.*, ${AGE} FROM (VALUES ${values}) AS l (lane) CROSS JOIN LATERAL (${first}) AS o ORDER BY o.position`;
    return { text, parameters };
  }

  due({ lanes, limit, without }: Wanted): Statement {
    const { clause, parameters } = exceptTargets(without, 1);
    const isDue = `state = 'waiting' AND lane IN (${lanes.join(', ')}) AND next_at <= clock_timestamp()${clause}`;
    return { text: `SELECT ${COLUMNS}, ${AGE} FROM ${this.#names.table} AS o WHERE ${isDue} ORDER BY position LIMIT ${limit}`, parameters };
  }

  failed(lanes: readonly number[]): Statement {
    return bare(
      `SELECT kind, target, message_key, next_at <= clock_timestamp() AS is_due FROM ${this.#names.table}
       WHERE state = 'waiting' AND lane IN (${lanes.join(', ')}) AND next_at IS NOT NULL`,
    );
  }

  remove(positions: readonly string[]): Statement {
    return { text: `DELETE FROM ${this.#names.table} WHERE position = ANY($1::bigint[])`, parameters: [arrayOf(positions)] };
  }

  keep(positions: readonly string[], forMs: number): Statement {
    const text = `UPDATE ${this.#names.table} SET state = 'published', next_at = ${later('$1')}, last_error = NULL WHERE position = ANY($2::bigint[])`;
    return { text, parameters: [forMs, arrayOf(positions)] };
  }

  retry({ position, error }: Failed, inMs: number): Statement {
    const text = `UPDATE ${this.#names.table}
      SET state = 'waiting', attempts = attempts + 1, next_at = ${later('$1')}, last_error = $2 WHERE position = $3::bigint`;
    return { text, parameters: [inMs, error, position] };
  }

  bury({ position, error }: Failed): Statement {
    const text = `UPDATE ${this.#names.table}
      SET state = 'dead', attempts = attempts + 1, next_at = NULL, last_error = $1 WHERE position = $2::bigint`;
    return { text, parameters: [error, position] };
  }

  hold(positions: readonly string[]): Statement {
    const text = `UPDATE ${this.#names.table} SET state = 'waiting', next_at = NULL WHERE position = ANY($1::bigint[])`;
    return { text, parameters: [arrayOf(positions)] };
  }

  release({ lane, kind, target, key }: LaneKey): Statement {
    const text = `UPDATE ${this.#names.table} SET state = 'pending'
      WHERE state = 'waiting' AND lane = ${lane} AND next_at IS NULL AND kind = $1 AND target = $2 AND message_key = $3`;
    return { text, parameters: [kind, target, key] };
  }

  dead(limit: number, after: string): Statement {
    const text = `SELECT position, id, kind, target, message_key, envelope, payload, attempts, last_error,
        extract(epoch FROM created_at) * 1000 AS created_ms
      FROM ${this.#names.table} WHERE state = 'dead' AND position > $1::bigint ORDER BY position LIMIT ${limit}`;
    return { text, parameters: [after] };
  }

  redrive(ids: readonly string[]): Statement {
    const text = `UPDATE ${this.#names.table} SET state = 'pending', attempts = 0 WHERE state = 'dead' AND id = ANY($1::uuid[])`;
    return { text, parameters: [arrayOf(ids)] };
  }

  kept(limit: number): Statement {
    return bare(
      `SELECT position FROM ${this.#names.table} WHERE state = 'published' AND next_at <= clock_timestamp()
       ORDER BY next_at LIMIT ${limit} FOR UPDATE SKIP LOCKED`,
    );
  }
}

function bare(text: string): Statement {
  return { text, parameters: [] };
}

/** As the text of an array, which every driver sends as it is. */
function arrayOf(values: readonly string[]): string {
  return `{${values.join(',')}}`;
}

function later(parameter: string): string {
  return `clock_timestamp() + make_interval(secs => ${parameter}::double precision / 1000)`;
}

function exceptTargets(targets: readonly string[], from: number): { clause: string; parameters: readonly string[] } {
  if (targets.length === 0) return { clause: '', parameters: [] };
  return { clause: ` AND o.target NOT IN (${targets.map((_, at) => `$${from + at}`).join(', ')})`, parameters: targets };
}
