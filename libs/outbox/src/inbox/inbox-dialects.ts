import type { SqlDialect } from '../database/sql-source.js';
import { inboxNames, type InboxPlace } from './inbox-place.js';
import type { InboxSql } from './inbox-sql.js';
import { MysqlInbox } from './mysql-inbox.js';
import { PostgresInbox } from './postgres-inbox.js';

/** The statements of an inbox in the dialect of its database. */
export function inboxSql(dialect: SqlDialect, place: InboxPlace): InboxSql {
  const names = inboxNames(dialect, place);
  return dialect === 'postgres' ? new PostgresInbox(names) : new MysqlInbox(names);
}
