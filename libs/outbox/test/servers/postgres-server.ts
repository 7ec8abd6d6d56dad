import { join } from 'node:path';
import { freePort } from '@millrace/testing';
import pg from 'pg';
import { foldersOf, newFolder, type OwnServer, plainUser, programAt, startServer } from './own-server.js';

const FOLDERS = foldersOf('/usr/lib/postgresql', 'bin');
const [INITDB, POSTGRES] = ['initdb', 'postgres'].map((name) => programAt(name, FOLDERS));

/** Whether PostgreSQL is installed here. */
export const hasPostgres = Boolean(INITDB && POSTGRES);

export async function startPostgres(): Promise<OwnServer> {
  const user = plainUser();
  const folder = newFolder(user);
  const data = join(folder, 'data');
  const port = String(await freePort());
  return startServer(folder, {
    setUp: [INITDB!, '-D', data, '-U', 'postgres', '--auth=trust', '--no-sync', '--encoding=UTF8', '--locale=C'],
    run: [POSTGRES!, '-D', data, '-p', port, '-k', folder, '-c', 'listen_addresses=127.0.0.1', '-c', 'fsync=off'],
    url: `postgres://postgres@127.0.0.1:${port}/postgres`,
    user,
    endedBy: 'QUIT',
    answers: async (url) => {
      const client = new pg.Client({ connectionString: url });
      client.on('error', () => undefined);
      await client.connect();
      await client.end();
    },
  });
}
