import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { connectServer, type Outcome, type StandaloneTopology } from '@millrace/redis';
import { startTestRedis, type TestRedis, uniqueName } from '@millrace/testing';

let redis: TestRedis;
let topology: StandaloneTopology;

beforeAll(async () => {
  redis = await startTestRedis();
  topology = await connectServer({ url: redis.url });
});
afterAll(async () => {
  topology.close();
  await redis.stop();
});

async function waits(): Promise<number> {
  return Number(/cmdstat_wait:calls=(\d+)/.exec(String(await topology.control.call('INFO', 'commandstats')))?.[1] ?? 0);
}

// Nobody follows the server, so each WAIT takes as long as it may.
it('writes that come while another waits for its confirmation share the next wait, and each has its own answer', async () => {
  const connection = topology.waitingFor('any', 'publish:replicated');
  expect(await connection.whenReady(5_000)).toBe(true);
  const [key, before] = [uniqueName('shared'), await waits()];
  const write = (): Promise<[Outcome, Outcome]> => connection.callBoth(['INCR', key], ['WAIT', 1, 200]);
  const first = Array.from({ length: 10 }, write);
  await new Promise((resolve) => setImmediate(resolve));
  const later = Array.from({ length: 10 }, write);
  const outcomes = await Promise.all([...first, ...later]);
  expect(outcomes).toEqual(outcomes.map((_, index) => [{ status: 'fulfilled', value: index + 1 }, { status: 'fulfilled', value: 0 }]));
  expect((await waits()) - before).toBe(2);
});

it('other waits, and writes that fail, are answered by themselves', async () => {
  const connection = topology.waitingFor('any', 'publish:replicated');
  const [key, before] = [uniqueName('shared'), await waits()];
  await topology.control.call('SET', key, 'text');
  const [one, two, wrong] = await Promise.all([
    connection.callBoth(['APPEND', key, 's'], ['WAIT', 0, 50]),
    connection.callBoth(['APPEND', key, 's'], ['WAIT', 1, 50]),
    connection.callBoth(['INCR', key], ['WAIT', 0, 50]),
  ]);
  expect([one, two]).toEqual([5, 6].map((value) => [{ status: 'fulfilled', value }, { status: 'fulfilled', value: 0 }]));
  expect(wrong).toMatchObject([{ status: 'rejected', reason: { kind: 'unknown' } }, { status: 'fulfilled', value: 0 }]);
  expect((await waits()) - before).toBe(2);
});

it('writes over a connection that is closed are not sent', async () => {
  const connection = topology.waitingFor('any', 'publish:closed');
  connection.close();
  expect(await connection.callBoth(['INCR', 'any'], ['WAIT', 1, 50])).toMatchObject([{ reason: { kind: 'unsent' } }, { reason: { kind: 'unsent' } }]);
});
