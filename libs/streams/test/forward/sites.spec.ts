import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { replicated, Topic, topicOf } from '@millrace/core';
import { type LocalServer, onServer, slotOf, type Topology } from '@millrace/redis';
import { ClusterSite, SentinelSite, type Site, uniqueName, waitFor } from '@millrace/testing';
import { IsInt } from 'class-validator';
import { partitionKeys } from '../../src/keys.js';
import { type Process, startProcessAt, subscribe } from '../fixture.js';
import { storedValues } from './stored-values.js';

const SAFE = replicated(1, '500ms');
const COUNT = 60;
const WAIT = { timeoutMs: 40_000 };
const LEASE_MS = 1_000;

@Topic<From>('hop.from', { durability: SAFE })
class From {
  @IsInt() value!: number;
}

@Topic<To>('hop.next', { key: ({ value }) => String(value), partitions: 2, durability: SAFE })
class To {
  @IsInt() value!: number;
}

let prefix: string;
let direct: Process<Topology>;
const processes: Process<Topology>[] = [];

async function start(site: Site): Promise<Process<Topology>> {
  const process = await startProcessAt(site.target, { prefix, leaseMs: LEASE_MS, publishDeadlineMs: 30_000 });
  processes.push(process);
  return process;
}

/** Declares the topics. */
async function open(site: Site): Promise<void> {
  direct = await start(site);
  for (const topic of [From, To]) await direct.streams.declare(topicOf(topic));
}

/** A process that forwards each message. */
async function startMember(site: Site): Promise<Process<Topology>> {
  const member = await start(site);
  await subscribe(member, { topic: From, group: 'g', durability: SAFE }, async ({ value }: From, ctx) => void ctx.publish(To, { value }));
  return member;
}

/** Publishes all of them once, in a few lanes, though servers go away. */
async function publishAll(): Promise<void> {
  const publishLane = async (lane: number): Promise<void> => {
    for (let value = lane; value < COUNT; value += 6) {
      const isStored = (): Promise<boolean> => direct.publisher.publish(From, { value }, { idempotencyKey: `k${value}` }).then(() => true);
      await waitFor(isStored, { what: `${value} to be published`, ...WAIT });
    }
  };
  await Promise.all([0, 1, 2, 3, 4, 5].map(publishLane));
}

const read: Parameters<typeof storedValues>[0] = (name, ...args) => direct.redis.controlFor(String(args[0])).call(name, ...args);
const stored = async (): Promise<number[]> => {
  const values = await storedValues(read, prefix, To);
  return values.flat().sort((one, other) => one - other);
};
const all = Array.from({ length: COUNT }, (_, value) => value);

function storedSome(): Promise<unknown> {
  return waitFor(async () => (await stored()).length >= 10, { what: 'messages to flow', ...WAIT });
}

/** Resolves when nothing is left to do: each message has arrived once. */
async function arrivedOnce(): Promise<void> {
  const isDone = async (): Promise<boolean> => {
    const { lag, pending, forwarding } = await direct.streams.inspector.group(From, 'g');
    if (lag + pending + forwarding > 0) throw new Error(`lag ${lag}, pending ${pending}, on their way ${forwarding}`);
    return (await stored()).length >= COUNT;
  };
  await waitFor(isDone, { what: 'all to arrive', ...WAIT });
  expect(await stored()).toEqual(all);
}

afterEach(() => Promise.all(processes.splice(0).map((process) => process.stop())));

describe('Messages that handlers forward in a Redis Cluster', () => {
  let site: ClusterSite;
  beforeAll(async () => {
    site = await ClusterSite.start({ appendonly: 'always' });
  });
  afterAll(() => site.stop());

  const nodeOf = (topic: string, partition: number): Promise<LocalServer> => {
    const { log } = partitionKeys(prefix, topic, partition);
    return site.cluster.primaryOf(slotOf(log));
  };

  /** The source and both partitions of the target are on three nodes: their slots follow from their names. */
  async function spread(): Promise<{ source: LocalServer; targets: readonly LocalServer[] }> {
    prefix = uniqueName('hop');
    const [source, ...targets] = [await nodeOf('hop.from', 0), await nodeOf('hop.next', 0), await nodeOf('hop.next', 1)] as const;
    expect(new Set([source, ...targets]).size).toBe(3);
    return { source, targets };
  }

  /** Kills a node, and resolves when another one has its place. */
  async function kill(node: LocalServer, isReplaced: () => Promise<boolean>): Promise<void> {
    await node.kill();
    await waitFor(() => isReplaced().catch(() => false), { what: 'a replica to take over', ...WAIT });
  }

  it('arrive once on other nodes, when a node of the target is killed meanwhile', async () => {
    const { targets: [target] } = await spread();
    await open(site);
    await startMember(site);
    const publishing = publishAll();
    await storedSome();
    await kill(target!, async () => (await nodeOf('hop.next', 0)) !== target);
    await publishing;
    await target!.restart();
    await arrivedOnce();
    await site.cluster.whenOk();
  }, 90_000);

  it('arrive once, when their process and the node on which they wait are killed before they are sent', async () => {
    const { source, targets } = await spread();
    await open(site);
    const member = await startMember(site);
    for (const target of targets) await onServer(target, (call) => call('CLIENT', 'PAUSE', 60_000, 'WRITE'));
    await publishAll();
    const isSettled = async (): Promise<boolean> => (await direct.streams.inspector.group(From, 'g')).handled === COUNT;
    await waitFor(isSettled, { what: 'all to be settled', ...WAIT });
    expect(await stored()).toEqual([]);
    member.vanish();
    await kill(source, async () => (await nodeOf('hop.from', 0)) !== source);
    for (const target of targets) await onServer(target, (call) => call('CLIENT', 'UNPAUSE'));
    await source.restart();
    await startMember(site);
    await arrivedOnce();
    await site.cluster.whenOk();
  }, 90_000);
});

describe('Messages that handlers forward behind Sentinels', () => {
  let site: SentinelSite;
  beforeAll(async () => {
    site = await SentinelSite.start({ appendonly: 'always' });
  });
  afterAll(() => site.stop());

  it('arrive once, when a replica takes over from a primary that was killed', async () => {
    prefix = uniqueName('hop');
    await open(site);
    await startMember(site);
    const publishing = publishAll();
    await storedSome();
    const primary = await site.all.whoIsPrimary();
    await primary.kill();
    await site.all.untilPrimaryIsNot(primary);
    await primary.restart();
    await publishing;
    await arrivedOnce();
  }, 90_000);
});
