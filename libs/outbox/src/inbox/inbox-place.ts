import { IsOptional } from 'class-validator';
import type { SqlDialect } from '../database/sql-source.js';
import { IsTableName } from '../database/table-name.js';

/** The place of an inbox in its database. */
export class InboxPlace {
  /** The table of the handled messages. Default `millrace_inbox`. */
  @IsOptional() @IsTableName()
  table?: string = 'millrace_inbox';

  /** The table of the owners of partitions, for ordered groups. Default `millrace_owner`. */
  @IsOptional() @IsTableName()
  ownerTable?: string = 'millrace_owner';

  /** The schema of both, in MySQL the database. Default: the one that a connection is in. */
  @IsOptional() @IsTableName()
  schema?: string;
}

/** The names of the tables of an inbox: as the database knows them, and as they stand in SQL. */
export interface InboxNames {
  readonly schema: string | null;
  /** Without a schema. */
  readonly tables: readonly string[];
  readonly inbox: string;
  readonly owner: string;
  readonly index: string;
}

export function inboxNames(dialect: SqlDialect, place: InboxPlace): InboxNames {
  const { table = 'millrace_inbox', ownerTable = 'millrace_owner', schema } = place;
  const mark = dialect === 'postgres' ? '"' : '`';
  const inSchema = (name: string): string => (schema === undefined ? '' : `${mark}${schema}${mark}.`) + `${mark}${name}${mark}`;
  return {
    schema: schema ?? null,
    tables: [table, ownerTable],
    inbox: inSchema(table),
    owner: inSchema(ownerTable),
    index: `${mark}${table}_handled_at${mark}`,
  };
}
