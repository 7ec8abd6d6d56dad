import { expect, it } from '@jest/globals';
import { connectServer } from '@millrace/redis';
import { startTestRedis, TcpProxy, waitFor } from '@millrace/testing';
import { RedisClock } from '../src/serve/redis-clock.js';

const BEHIND_MS = 600_000;
/** A machine may be busy between two looks at a clock. */
const ABOUT_MS = 60_000;

it('the clock of a server is not taken for that of its successor', async () => {
  const server = await startTestRedis();
  const proxy = await TcpProxy.start(server.url);
  const redis = await connectServer({ url: proxy.url });
  const connection = redis.publishFor();
  const clock = new RedisClock(connection);
  expect(clock.isFresh).toBe(false);
  clock.sample(Date.now() - BEHIND_MS, performance.now());
  expect(clock.isFresh).toBe(true);
  const { connectionEpoch } = connection;
  proxy.reset();
  await waitFor(() => connection.connectionEpoch > connectionEpoch && connection.isReady, { what: 'the next connection' });
  // It was fresh a moment ago: a sample that is ahead of it would be passed over.
  expect([clock.isFresh, clock.isSampleDue]).toEqual([false, true]);
  await clock.refresh();
  expect(Math.abs(clock.nowMs() - Date.now())).toBeLessThan(ABOUT_MS);
  redis.close();
  await proxy.stop();
  await server.stop();
});
