import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { connectRedis, type LocalServer, onServer, type RedisConnection, slotOf, type Topology } from '@millrace/redis';
import { ClusterSite, waitFor } from '@millrace/testing';

const KEYS = Array.from({ length: 5 }, (_, index) => `spec:{moved-${index}}`);

let site: ClusterSite;
let topology: Topology;

beforeAll(async () => void (site = await ClusterSite.start({ replicas: 0 })));
afterEach(() => topology.close());
afterAll(() => site.stop());

async function connectionsOf(purpose: string): Promise<number> {
  const lists = await Promise.all(site.cluster.nodes.map((node) => onServer(node, (call) => call('CLIENT', 'LIST'))));
  return lists.join('\n').split('\n').filter((line) => line.includes(`:${purpose}#`)).length;
}

async function elsewhere(slot: number): Promise<LocalServer> {
  const owner = await site.cluster.primaryOf(slot);
  return (await site.cluster.primaries()).find((node) => node !== owner)!;
}

async function move(key: string): Promise<void> {
  await site.cluster.migrate([slotOf(key)], await elsewhere(slotOf(key)));
}

it('readers keep one connection each, however often their slots move while nobody reads', async () => {
  topology = await connectRedis(site.target);
  const readers = KEYS.map((key) => topology.blockingFor(key, 'read'));
  const areReady = async (): Promise<boolean> =>
    (await Promise.all(readers.map((reader) => reader.whenReady(5_000)))).every(Boolean);
  expect(await areReady()).toBe(true);
  for (const reader of readers) reader.watch({ ready: () => undefined, lost: () => undefined, message: () => undefined });
  for (let round = 0; round < 3; round += 1) {
    const before = readers.map(({ connectionEpoch }) => connectionEpoch);
    for (const key of KEYS) await move(key);
    await waitFor(() => readers.every(({ connectionEpoch }, index) => connectionEpoch > before[index]!), { what: 'the moves to be known' });
    expect(await areReady()).toBe(true);
    await waitFor(async () => (await connectionsOf('read')) === KEYS.length, { what: 'one connection each' });
  }
  for (const reader of readers) reader.close();
  await waitFor(async () => (await connectionsOf('read')) === 0, { what: 'no connection to be left' });
});

/** How often nodes were sent this command, those that were refused included. */
async function asked(command: string): Promise<number> {
  const statOf = (text: unknown): number => {
    const [, calls = 0, rejected = 0] = new RegExp(`cmdstat_${command}:calls=(\\d+).*rejected_calls=(\\d+)`).exec(String(text)) ?? [];
    return Number(calls) + Number(rejected);
  };
  const texts = await Promise.all(site.cluster.nodes.map((node) => onServer(node, (call) => call('INFO', 'commandstats'))));
  return texts.reduce<number>((sum, text) => sum + statOf(text), 0);
}

it('a command that two nodes send to each other is sent again less and less often, and fails in words', async () => {
  topology = await connectRedis(site.target);
  const key = 'spec:{disputed}';
  const connection: RedisConnection = topology.publishFor(key);
  await connection.call('SET', key, '1');
  const [owner, other] = [await site.cluster.primaryOf(slotOf(key)), await elsewhere(slotOf(key))];
  const idOf = async (node: LocalServer): Promise<string> => String(await onServer(node, (call) => call('CLUSTER', 'MYID')));
  await onServer(owner, (call) => call('DEL', key));
  const [before, ownerId] = [await asked('set'), await idOf(owner)];
  await onServer(owner, async (call) => call('CLUSTER', 'SETSLOT', slotOf(key), 'NODE', await idOf(other)));
  await expect(connection.call('SET', key, '2')).rejects.toMatchObject({ kind: 'unavailable', message: expect.stringContaining('MOVED') });
  // Twice at once, then after 10, 20, 40, 80 and 160 ms, and each 160 ms until two seconds are over.
  expect((await asked('set')) - before).toBeLessThan(25);
  await onServer(owner, (call) => call('CLUSTER', 'SETSLOT', slotOf(key), 'NODE', ownerId));
});
