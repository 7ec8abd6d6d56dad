import { afterAll, beforeAll, describe, it } from '@jest/globals';
import { conformance, CONFORMANCE_FEATURES, type ConformanceFeatures, startTestRedis, type TestRedis } from '@millrace/testing';
import { RedisHarness } from './redis-harness.js';

let server: TestRedis;
let harness: RedisHarness;

beforeAll(async () => {
  // Messages outlive a crash of the server only where they are on its disk.
  server = await startTestRedis({ appendonly: 'always' });
  harness = await RedisHarness.start(server);
});
afterAll(async () => {
  await harness.stop();
  await server.stop();
});

const everything = Object.fromEntries(CONFORMANCE_FEATURES.map((feature) => [feature, true])) as ConformanceFeatures;

conformance({ describe, it }, { name: 'Redis Streams', features: everything, harness: () => harness });
