import { MillraceError, quote } from '@millrace/core';
import type { SqlDialect } from '../database/sql-source.js';

/** Room for the suffixes of indexes within the 63 bytes of PostgreSQL. */
const NAME = /^[a-z_][a-z0-9_]{0,39}$/;

export interface OutboxPlace {
  /** Default `millrace_outbox`. */
  readonly table?: string | undefined;
  /** Default: the one that the connection is in. */
  readonly schema?: string | undefined;
}

/** The names of an outbox in the database, quoted where they stand in SQL. */
export interface OutboxNames {
  readonly table: string;
  readonly laneTable: string;
  /** The table without its schema: the beginning of the names of its indexes. */
  readonly plain: string;
  /** The channel of `NOTIFY`. */
  readonly channel: string;
}

/** @throws MillraceError INVALID_OPTIONS */
export function outboxNames(dialect: SqlDialect, { table = 'millrace_outbox', schema }: OutboxPlace): OutboxNames {
  for (const name of [table, ...(schema === undefined ? [] : [schema])]) assertPlain(name);
  const mark = dialect === 'postgres' ? '"' : '`';
  const inSchema = (name: string): string => (schema === undefined ? '' : `${mark}${schema}${mark}.`) + `${mark}${name}${mark}`;
  const channel = (schema === undefined ? table : `${schema}_${table}`).slice(0, 63);
  return { table: inSchema(table), laneTable: inSchema(`${table}_lane`), plain: table, channel };
}

function assertPlain(name: unknown): void {
  if (typeof name === 'string' && NAME.test(name)) return;
  const rule = '1 to 40 of the characters a-z 0-9 _, not beginning with a digit';
  throw new MillraceError('INVALID_OPTIONS', `${quote(name)} cannot be a table or a schema of the outbox: use ${rule}.`);
}
