import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type SqlDatabase, SqlInbox } from '@millrace/outbox';
import { expectNoChildren, TypeScriptChild } from '@millrace/testing';
import { databaseKinds, effects, type TestDatabase } from './test-databases.js';

const WORKER = new URL('./fixtures/inbox-worker.ts', import.meta.url);

describe.each(databaseKinds)('processes that share an inbox in $kind', ({ start }) => {
  let server: TestDatabase;
  let database: SqlDatabase;
  let inbox: SqlInbox;
  const children: TypeScriptChild[] = [];

  const child = (task: string, name = '') => {
    const worker = new TypeScriptChild(WORKER, { args: [task, server.url, name] });
    children.push(worker);
    return worker;
  };

  beforeAll(async () => {
    server = await start();
  });
  afterEach(async () => {
    await Promise.all(children.splice(0).map((worker) => worker.kill()));
    await expectNoChildren();
  });
  afterAll(() => server.stop());

  it('make its table at the same time', async () => {
    database = await server.connect();
    const workers = Array.from({ length: 4 }, () => child('prepare'));
    for (const worker of workers) expect(await worker.line()).toBe('ready');
    for (let round = 0; round < 5; round += 1) {
      await database.query('DROP TABLE IF EXISTS millrace_inbox');
      for (const worker of workers) worker.process.stdin.write('go\n');
      for (const worker of workers) expect(await worker.line()).toBe('prepared');
    }
  });

  it('do the work of one that was killed in the middle of it', async () => {
    ({ database, inbox } = await server.inbox());
    const worker = child('stay');
    expect(await worker.line()).toBe('inside');
    const next = inbox.run('group', 'm1', (transaction) => transaction.query(`INSERT INTO effect VALUES ('of the next')`));
    await worker.kill('SIGKILL');
    expect(await next).toMatchObject({ duplicate: false });
    expect(await effects(database)).toEqual(['of the next']);
    expect(await inbox.run('group', 'm1', async () => 'again')).toEqual({ duplicate: true });
  });

  it('store all of a message or nothing of it, whenever one is killed', async () => {
    ({ database, inbox } = await server.inbox());
    const workers = Array.from({ length: 4 }, (_, number) => child('flow', `worker${number}`));
    for (const worker of workers) {
      expect(await worker.line()).toBe('flowing');
      await worker.kill('SIGKILL');
      expect(await inbox.run('group', `after ${worker.process.pid}`, async () => 'goes on')).toMatchObject({ duplicate: false });
    }
    const { rows } = await database.query(
      `SELECT message_id, count(what) FROM millrace_inbox LEFT JOIN effect ON what = message_id
       WHERE message_id LIKE 'worker%' GROUP BY 1 HAVING count(what) <> 2
       UNION ALL SELECT what, 0 FROM effect WHERE what NOT IN (SELECT message_id FROM millrace_inbox)`,
    );
    expect(rows).toEqual([]);
    expect((await effects(database)).length).toBeGreaterThanOrEqual(4 * 2 * 6);
  });
});
