import { connectDatabase, findDatabase, type SqlDatabase, SqlInbox } from '@millrace/outbox';
import { uniqueName } from '@millrace/testing';

/** A database that nothing else uses, with a table for the effects of handlers, and what was opened on it. */
export class TestDatabase {
  readonly #open: { close(): Promise<void> }[] = [];

  constructor(
    readonly url: string,
    readonly stopServer: () => Promise<void>,
  ) {}

  async connect(options: { url?: string; connections?: number } = {}): Promise<SqlDatabase> {
    const database = await connectDatabase({ url: this.url, ...options });
    this.#open.push(database);
    return database;
  }

  /** With an empty inbox, and an empty table `effect (what text)`. */
  async inbox(options: { url?: string; connections?: number } = {}): Promise<{ database: SqlDatabase; inbox: SqlInbox }> {
    const database = await this.connect(options);
    const inbox = new SqlInbox({ database });
    await inbox.prepare();
    await database.query('CREATE TABLE IF NOT EXISTS effect (what text); TRUNCATE effect, millrace_inbox, millrace_owner');
    return { database, inbox };
  }

  async stop(): Promise<void> {
    await Promise.all(this.#open.map((database) => database.close()));
    await this.stopServer();
  }
}

/** PGlite always; PostgreSQL, in a database made for the test, where MILLRACE_TEST_DATABASE_URL leads to a server. */
export const databaseKinds: { kind: string; start: () => Promise<TestDatabase> }[] = [
  { kind: 'PGlite', start: startEmbedded },
  ...(process.env.MILLRACE_TEST_DATABASE_URL
    ? [{ kind: 'PostgreSQL', start: startExternal(process.env.MILLRACE_TEST_DATABASE_URL) }]
    : []),
];

/** The effects of the handlers, in order. */
export async function effects(database: SqlDatabase): Promise<string[]> {
  const { rows } = await database.query<{ what: string }>('SELECT what FROM effect ORDER BY what');
  return rows.map(({ what }) => what);
}

async function startEmbedded(): Promise<TestDatabase> {
  const running = await findDatabase({ env: {} });
  return new TestDatabase(running.url, () => running.stop());
}

function startExternal(serverUrl: string): () => Promise<TestDatabase> {
  return async () => {
    const name = uniqueName('millrace').replace('-', '_');
    await onServer(serverUrl, `CREATE DATABASE ${name}`);
    const url = new URL(serverUrl);
    url.pathname = name;
    return new TestDatabase(url.href, () => onServer(serverUrl, `DROP DATABASE ${name} WITH (FORCE)`));
  };
}

async function onServer(url: string, statement: string): Promise<void> {
  const server = await connectDatabase({ url });
  await server.query(statement);
  await server.close();
}
