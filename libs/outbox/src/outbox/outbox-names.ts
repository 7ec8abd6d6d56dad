import { parseOptions } from '@millrace/core';
import { IsOptional } from 'class-validator';
import type { SqlDialect } from '../database/sql-source.js';
import { IsTableName } from '../database/table-name.js';

/** The place of an outbox in its database. */
export class OutboxPlace {
  /** The table of the rows; that of the lanes has `_lane` behind its name. Default `millrace_outbox`. */
  @IsOptional() @IsTableName()
  table?: string | undefined = 'millrace_outbox';

  /** The schema of both, in MySQL the database. Default: the one that a connection is in. */
  @IsOptional() @IsTableName()
  schema?: string | undefined;
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
export function outboxNames(dialect: SqlDialect, place: OutboxPlace): OutboxNames {
  const { table, schema } = parseOptions(OutboxPlace, place, 'The outbox');
  const mark = dialect === 'postgres' ? '"' : '`';
  const inSchema = (name: string): string => (schema === undefined ? '' : `${mark}${schema}${mark}.`) + `${mark}${name}${mark}`;
  const channel = (schema === undefined ? table : `${schema}_${table}`).slice(0, 63);
  return { table: inSchema(table), laneTable: inSchema(`${table}_lane`), plain: table, channel };
}
