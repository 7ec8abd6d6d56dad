import type { SqlDialect } from '../database/sql-source.js';
import { MysqlOutbox } from './outbox-mysql.js';
import { type OutboxPlace, outboxNames } from './outbox-names.js';
import { PostgresOutbox } from './outbox-postgres.js';
import type { OutboxSql } from './outbox-sql.js';

/** @throws MillraceError INVALID_OPTIONS */
export function outboxSql(dialect: SqlDialect, place: OutboxPlace): OutboxSql {
  const names = outboxNames(dialect, place);
  return dialect === 'postgres' ? new PostgresOutbox(names) : new MysqlOutbox(names);
}
