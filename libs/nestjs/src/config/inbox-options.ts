import { InboxPlace, type SqlSource } from '@millrace/outbox';
import { IsBoolean, IsOptional, ValidateBy } from 'class-validator';

/** The tables of the inbox: the option `inbox` of `MillraceModule.forRoot`. */
export class InboxOptions extends InboxPlace {
  /** Whether a process makes the tables that are not there; else it refuses to start without them. Default true. */
  @IsOptional() @IsBoolean()
  createTables?: boolean = true;
}

/** The application's own library, as it reaches the database. */
export type DatabaseSource = SqlSource<unknown>;

export function isSource(value: unknown): value is DatabaseSource {
  if (typeof value !== 'object' || value === null) return false;
  const { within, transaction, dialect } = value as Partial<DatabaseSource>;
  return typeof within === 'function' && typeof transaction === 'function' && (dialect === 'postgres' || dialect === 'mysql');
}

export function IsDatabase(): PropertyDecorator {
  return ValidateBy({
    name: 'isDatabase',
    validator: {
      validate: (value) => typeof value === 'string' || isSource(value),
      // The value stays out of the message: it may hold a password.
      defaultMessage: () =>
        'database must be the URL of a PostgreSQL, or a source: pgSource(pool), mysqlSource(pool), pgliteSource(db), drizzleSource(db), ' +
        'kyselySource(db), knexSource(knex) or typeormSource(dataSource)',
    },
  });
}
