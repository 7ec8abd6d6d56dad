import { setImmediate } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { connectRedis, LocalCluster, serverBinaries, slotOf, type Topology } from '@millrace/redis';

const CHANNEL = '{somewhere}:news';

let cluster: LocalCluster;
let topology: Topology;

beforeAll(async () => {
  const [binary] = (await serverBinaries()) as [string];
  cluster = await LocalCluster.start({ binary, replicas: 0 });
  topology = await connectRedis({ url: cluster.urls[0]! });
});
afterAll(async () => {
  topology.close();
  await cluster.stop();
});

it('a subscription that waits for its node ends when it is closed', async () => {
  const node = await cluster.primaryOf(slotOf(CHANNEL));
  node.freeze();
  const listening = topology.listening('news');
  let end: unknown = null;
  const subscribing = listening.subscribe([CHANNEL]).catch((error: unknown) => void (end = error));
  await setImmediate();
  expect(end).toBeNull();
  listening.close();
  await setImmediate();
  expect(end).toMatchObject({ kind: 'unsent', message: expect.stringContaining('SSUBSCRIBE failed') });
  node.thaw();
  await subscribing;
});
