import { join } from 'node:path';
import { freePort } from '@millrace/testing';
import mysql from 'mysql2/promise';
import { newFolder, type OwnServer, plainUser, programAt, startServer } from './own-server.js';

const INSTALL = programAt('mariadb-install-db');
const SERVER = programAt('mariadbd') ?? programAt('mysqld');

/** Whether MariaDB is installed here. */
export const hasMariadb = Boolean(INSTALL && SERVER);

export async function startMariadb(): Promise<OwnServer> {
  const user = plainUser();
  const folder = newFolder(user);
  const data = join(folder, 'data');
  const port = String(await freePort());
  const small = ['--innodb-log-file-size=8M', '--innodb-buffer-pool-size=32M', '--innodb-flush-log-at-trx-commit=0'];
  const server = await startServer(folder, {
    setUp: [INSTALL!, '--no-defaults', `--datadir=${data}`, '--auth-root-authentication-method=normal', '--skip-test-db', ...small],
    run: [
      SERVER!, '--no-defaults', `--datadir=${data}`, `--socket=${join(folder, 's')}`, `--port=${port}`, '--bind-address=127.0.0.1',
      '--skip-grant-tables', '--skip-log-bin', '--innodb-lock-wait-timeout=20', ...small,
    ],
    url: `mysql://root@127.0.0.1:${port}/millrace`,
    user,
    endedBy: 'KILL',
    answers: async (url) => onServer(url, 'SELECT 1'),
  });
  await onServer(server.url, 'CREATE DATABASE millrace');
  return server;
}

async function onServer(url: string, statement: string): Promise<void> {
  const { hostname: host, port } = new URL(url);
  const connection = await mysql.createConnection({ host, port: Number(port), user: 'root' });
  await connection.query(statement);
  await connection.end();
}
