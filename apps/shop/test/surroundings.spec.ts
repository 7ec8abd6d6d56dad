import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { connectDatabase } from '@millrace/outbox';
import { connectServer } from '@millrace/redis';
import { hasPostgres, startTestPostgres, startTestRedis, type TestRedis, type TestSqlServer } from '@millrace/testing';
import { Cleanup } from '../src/demo/cleanup.js';
import { findSurroundings } from '../src/demo/surroundings.js';
import { Terminal } from '../src/demo/terminal.js';

let redis: TestRedis;
let postgres: TestSqlServer | undefined;
beforeAll(async () => {
  redis = await startTestRedis();
  if (hasPostgres()) postgres = await startTestPostgres('fsync=off');
});
afterAll(() => Promise.all([redis.stop(), postgres?.stop()]));

function cleanup(): Cleanup {
  return new Cleanup((what, error) => {
    throw new Error(`could not ${what}`, { cause: error });
  });
}

const terminal = new Terminal({ write: () => undefined });

async function schemas(url: string): Promise<string[]> {
  const database = await connectDatabase({ url, connections: 1 });
  const { rows } = await database.query<{ name: string }>('SELECT nspname AS name FROM pg_namespace');
  await database.close();
  return rows.map(({ name }) => name);
}

describe('the surroundings of a run', () => {
  test('are named for it alone, and its keys are removed from a Redis that is not its own', async () => {
    const connections = await connectServer({ url: redis.url });
    const { control } = connections;
    const ours = cleanup();
    const env = { REDIS_URL: redis.url, ...(postgres && { DATABASE_URL: postgres.url }) };
    const one = await findSurroundings({ env, cleanup: ours, terminal });
    const keys = Array.from({ length: 1_200 }, (_, index) => [`${one.prefix}:{t:${index}}:log`, `{${one.prefix}}:emails:${index}`]).flat();
    for (const key of [...keys, `${one.prefix}x:mine`, 'millrace:{t:0}:log']) await control.call('SET', key, 'x');
    await ours.run();
    const left = (await control.call('KEYS', '*')) as string[];
    expect(left.sort()).toEqual(['millrace:{t:0}:log', `${one.prefix}x:mine`]);
    connections.close();
  });

  (hasPostgres() ? test : test.skip)('have a schema of their own in PostgreSQL, and leave nothing there', async () => {
    const url = postgres!.url;
    const [first, second] = [cleanup(), cleanup()];
    const env = { REDIS_URL: redis.url, DATABASE_URL: url };
    const one = await findSurroundings({ env, cleanup: first, terminal });
    const other = await findSurroundings({ env, cleanup: second, terminal });
    await one.database.query("INSERT INTO orders (invoice, request) VALUES ('1', 'x')");
    expect((await other.database.query('SELECT * FROM orders')).rows).toEqual([]);
    expect(await schemas(url)).toEqual(expect.arrayContaining([one.prefix, other.prefix]));
    await Promise.all([first.run(), second.run()]);
    const left = await schemas(url);
    expect(left.filter((name) => [one.prefix, other.prefix].includes(name))).toEqual([]);
  });
});
