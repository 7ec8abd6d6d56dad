export * from './database/connect-database.js';
export * from './database/sql-database.js';
export * from './database/sql-source.js';
export * from './embedded/find-database.js';
export * from './inbox/sql-inbox.js';
