import { MillraceError, parseOptions, quote } from '@millrace/core';
import { ownStatement } from '../database/database-errors.js';
import type { SqlDialect, SqlSource } from '../database/sql-source.js';
import { InboxPlace } from '../inbox/inbox-place.js';
import { inboxSql } from '../inbox/inbox-dialects.js';
import { outboxSql } from '../outbox/outbox-dialect.js';
import type { OutboxPlace } from '../outbox/outbox-names.js';
import { prepareOutbox } from '../outbox/outbox-tables.js';

/** Names of tables that are not the usual ones. */
export interface MigrationPlaces {
  readonly inbox?: InboxPlace;
  readonly outbox?: OutboxPlace;
}

/** A text of SQL that makes tables, and does nothing where they are. */
export interface Migration {
  /** The name of its file, without `.sql`. */
  readonly name: string;
  readonly statements: readonly string[];
  /** The statements as one text: the file of the package, where the tables have their usual names. */
  readonly sql: string;
}

const DIALECTS: readonly SqlDialect[] = ['postgres', 'mysql'];

/**
 * All tables of Millrace in one dialect, for the tool that an application has for migrations: those of the inbox, and those of
 * the outbox.
 *
 * @throws MillraceError INVALID_INPUT, INVALID_OPTIONS
 */
export function migrations(dialect: SqlDialect, { inbox = {}, outbox = {} }: MigrationPlaces = {}): readonly Migration[] {
  if (!DIALECTS.includes(dialect)) throw new MillraceError('INVALID_INPUT', `There are migrations for postgres and mysql, not for ${quote(dialect)}.`);
  const { schema } = inboxSql(dialect, parseOptions(InboxPlace, inbox, 'The inbox'));
  const inboxStatements = schema.flatMap(({ statements }) => statements);
  return [migration('0001_inbox', inboxStatements), migration('0002_outbox', outboxSql(dialect, outbox).schema)];
}

/**
 * Makes the tables of the inbox and of the outbox that are not there; any number of processes may do so at once.
 *
 * @throws MillraceError INVALID_OPTIONS, DATABASE_FAILED, DATABASE_UNREACHABLE
 */
export async function createTables<Transaction>(
  source: SqlSource<Transaction>,
  { inbox = {}, outbox = {} }: MigrationPlaces = {},
): Promise<void> {
  const sql = inboxSql(source.dialect, parseOptions(InboxPlace, inbox, 'The inbox'));
  const outboxTables = outboxSql(source.dialect, outbox);
  await ownStatement('make the tables of the inbox', () =>
    source.transaction(async (transaction) => {
      const within = source.within(transaction);
      if ((await sql.missingTables(within)).length > 0) await sql.createMissingTables(within);
    }),
  );
  await prepareOutbox(source, outboxTables);
}

function migration(name: string, statements: readonly string[]): Migration {
  return { name, statements, sql: `${statements.join(';\n\n')};\n` };
}
