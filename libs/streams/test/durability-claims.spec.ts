import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type PublishOptions, type PublishResult, replicated, fsynced, Topic, topicOf } from '@millrace/core';
import { type LocalCluster, type LocalServer, onServer, slotOf, type Topology } from '@millrace/redis';
import { ClusterSite, uniqueName, waitFor } from '@millrace/testing';
import { IsInt, IsString } from 'class-validator';
import { partitionKeys } from '../src/keys.js';
import { placeOf } from '../src/publish/partitioner.js';
import { type Process, startProcessAt } from './fixture.js';

const PARTITIONS = 12;
const LETTERS = [...'abcdefghijklmnopqrstuvwxyz'];
const SHORT = replicated(1, '300ms');
const LONG = replicated(1, '4s');
const mismatch = { code: 'IDEMPOTENCY_MISMATCH' };
const noReplica = {
  code: 'PUBLISH_REFUSED', retryable: true, message: expect.stringMatching(/was not stored: 0 of 1 replicas confirmed the idempotency key within 300 ms/),
};

@Topic<Order>('test.order', { partitions: PARTITIONS, key: ({ customer }) => customer })
class Order {
  @IsString() customer!: string;
  @IsInt() amount!: number;
}

let site: ClusterSite;
let cluster: LocalCluster;
let prefix: string;
let processes: Process<Topology>[];
/** The primary that knows the idempotency key `once`, and its replica. */
let home: LocalServer;
let replica: LocalServer;
/** Two customers whose orders go to the other primaries. */
let customers: string[];

beforeAll(async () => {
  site = await ClusterSite.start({ appendonly: 'always' });
  cluster = site.cluster;
});
beforeEach(async () => {
  await cluster.whenOk();
  [prefix, processes] = [uniqueName('claims'), []];
  home = await primaryFor('once');
  replica = (await cluster.replicasOf(home))[0]!;
  const away = await Promise.all(LETTERS.map(async (letter) => (await primaryFor(letter)) !== home));
  customers = LETTERS.filter((_, index) => away[index]);
});
afterEach(async () => {
  replica.thaw();
  if (!home.isRunning) await home.restart();
  for (const process of processes) await process.stop();
});
afterAll(() => site.stop());

const logOf = (routingKey: string): string => partitionKeys(prefix, 'test.order', placeOf(routingKey, PARTITIONS)).log;
const primaryFor = (routingKey: string): Promise<LocalServer> => cluster.primaryOf(slotOf(logOf(routingKey)));

async function start(): Promise<Process<Topology>> {
  const process = await startProcessAt(site.target, { prefix, leaseMs: 300 });
  processes.push(process);
  await process.streams.declare(topicOf(Order));
  return process;
}

function order({ publisher }: Process<Topology>, which: number, options: PublishOptions): Promise<PublishResult> {
  return publisher.publish(Order, { customer: customers[which]!, amount: 1 }, { idempotencyKey: 'once', ...options });
}

/** How many messages the topic has. */
async function stored({ redis }: Process<Topology>): Promise<number> {
  const logs = Array.from({ length: PARTITIONS }, (_, partition) => partitionKeys(prefix, 'test.order', partition).log);
  const read = async (log: string): Promise<unknown[]> => (await redis.publishFor(log).call('XRANGE', log, '-', '+')) as unknown[];
  const entries = await Promise.all(logs.map((log) => waitFor(() => read(log), { what: 'the log to be read', timeoutMs: 30_000 })));
  return entries.flat().length;
}

/** Stands still, and hears nothing of what is written meanwhile, also when it goes on: Redis keeps nothing for it. */
async function cutOff(): Promise<void> {
  replica.freeze();
  await onServer(home, (call) => call('CLIENT', 'KILL', 'TYPE', 'replica'));
}

async function takeOver(): Promise<void> {
  await home.kill();
  replica.thaw();
  await onServer(replica, (call) => call('CLUSTER', 'FAILOVER', 'TAKEOVER'));
  const slot = slotOf(logOf('once'));
  await waitFor(async () => (await cluster.primaryOf(slot)) === replica, { what: 'the replica to be the primary', timeoutMs: 30_000 });
}

/** How often each primary was asked for something so far. */
async function asked(command: string): Promise<number> {
  const counts = (await cluster.primaries()).map(async (node) => {
    const stats = String(await onServer(node, (call) => call('INFO', 'commandstats')));
    return Number(new RegExp(`cmdstat_${command}:calls=(\\d+)`).exec(stats)?.[1] ?? 0);
  });
  return (await Promise.all(counts)).reduce((sum, count) => sum + count, 0);
}

describe('an idempotency key that another node knows than the one that gets the message', () => {
  it('is confirmed before its message is sent: without a replica the publish is refused, and nothing is stored', async () => {
    const process = await start();
    replica.freeze();
    await expect(order(process, 0, { durability: SHORT })).rejects.toMatchObject(noReplica);
    expect(await stored(process)).toBe(0);
    const unkeyed = process.publisher.publish(Order, { customer: customers[0]!, amount: 2 }, { durability: SHORT });
    expect(await unkeyed).toMatchObject({ offset: 0 });
    replica.thaw();
    await cluster.whenOk();
    expect(await order(process, 0, { durability: LONG })).toMatchObject({ duplicate: false });
    expect(await order(process, 0, { durability: LONG })).toMatchObject({ duplicate: true });
    await expect(order(process, 1, { durability: LONG })).rejects.toMatchObject(mismatch);
  }, 60_000);

  it('is not confirmed by having been claimed before, by another process', async () => {
    const [process, other] = [await start(), await start()];
    await order(other, 0, { idempotencyKey: 'warm', durability: SHORT });
    replica.freeze();
    await expect(order(process, 0, { durability: SHORT })).rejects.toMatchObject(noReplica);
    await expect(order(other, 0, { durability: SHORT })).rejects.toMatchObject(noReplica);
    expect(await stored(process)).toBe(1);
  }, 60_000);

  it('that was lost in a failover has no confirmed message', async () => {
    const process = await start();
    await cutOff();
    await expect(order(process, 0, { durability: SHORT })).rejects.toMatchObject(noReplica);
    await takeOver();
    const next = await waitFor(() => order(process, 1, { durability: 'server' }), { what: 'the next publish', timeoutMs: 30_000 });
    expect(next).toMatchObject({ duplicate: false });
    expect(await stored(process)).toBe(1);
  }, 60_000);

  it('that was confirmed is known after a failover', async () => {
    const process = await start();
    await order(process, 0, { durability: LONG });
    await cutOff();
    await takeOver();
    await expect(order(process, 1, { durability: 'server', deadline: '20s' })).rejects.toMatchObject(mismatch);
    expect(await order(process, 0, { durability: 'server' })).toMatchObject({ duplicate: true });
  }, 60_000);

  it('is refused by a node that cannot say what is on its disk', async () => {
    const process = await start();
    await onServer(home, (call) => call('CONFIG', 'SET', 'appendonly', 'no'));
    const published = order(process, 0, { durability: fsynced() });
    await expect(published).rejects.toMatchObject({ code: 'REDIS_UNSUPPORTED', message: expect.stringContaining('The idempotency key was not stored') });
    expect(await stored(process)).toBe(0);
    await onServer(home, (call) => call('CONFIG', 'SET', 'appendonly', 'yes'));
  });

  it('costs one question more, which goes with the claim; none where the server is enough', async () => {
    const process = await start();
    await Promise.all(['server' as const, LONG].map((durability) => order(process, 0, { idempotencyKey: 'warm', durability })));
    const counts = async (): Promise<number[]> => Promise.all(['wait', 'eval', 'evalsha'].map(asked));
    const costs = async (work: () => Promise<unknown>): Promise<number[]> => {
      const before = await counts();
      await work();
      return (await counts()).map((count, index) => count - before[index]!);
    };
    expect(await costs(() => order(process, 0, { durability: 'server' }))).toEqual([0, 0, 2]);
    expect(await costs(() => order(process, 1, { idempotencyKey: customers[1]!, durability: LONG }))).toEqual([1, 1, 0]);
    expect(await costs(() => order(process, 0, { durability: LONG }))).toEqual([2, 2, 0]);
  });
});

