import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type Admin, createAdmin, type Finding } from '@millrace/admin';
import { Publisher, topicOf } from '@millrace/core';
import { connectRedis, type LocalServer, slotOf, type Topology } from '@millrace/redis';
import { createStreams, type Streams } from '@millrace/streams';
import { ClusterSite, waitFor } from '@millrace/testing';
import { Redis } from 'ioredis';
import { Mail, mails, Order, orders } from './topics.js';

// With it, the first node has a part of the orders, and neither the index of topics nor the mails.
const PREFIX = 'admin';
const SOUND = ['--maxmemory', '512mb', '--save', ''];

let site: ClusterSite;
let redis: Topology;
let streams: Streams;
let admin: Admin;

beforeEach(async () => {
  site = await ClusterSite.start({ appendonly: 'everysec', replicas: 0, extra: SOUND });
  redis = await connectRedis(site.target);
  streams = createStreams({ redis, prefix: PREFIX, leaseMs: 600, publishDeadlineMs: 2_000 });
  admin = createAdmin({ redis, prefix: PREFIX, streams });
}, 60_000);

afterEach(async () => {
  await streams.stop(500);
  redis.close();
  await site.stop();
});

const nameOf = ({ port }: LocalServer): string => `127.0.0.1:${port}`;

/** The node that has a key. */
const nodeOf = (key: string): Promise<LocalServer> => site.cluster.primaryOf(slotOf(key));

/** One that has none of these keys. */
async function nodeWithout(...keys: readonly string[]): Promise<LocalServer> {
  const owners = await Promise.all(keys.map(nodeOf));
  return site.cluster.nodes.find((node) => !owners.includes(node))!;
}

async function onNode(node: LocalServer, ...[name = '', ...args]: string[]): Promise<void> {
  const client = new Redis(node.url);
  await client.call(name, ...args);
  client.disconnect();
}

const logOf = (topic: string, partition: number): string => `${PREFIX}:{${topic}:${partition}}:log`;
const TOPICS = `${PREFIX}:topics`;

function faultsIn(findings: readonly Finding[]): Pick<Finding, 'check' | 'node' | 'state' | 'found'>[] {
  // Each node is told to have no replica.
  const faults = findings.filter(({ check, state }) => check !== 'setup' && (state === 'fault' || state === 'warning'));
  return faults.map(({ check, node, state, found }) => ({ check, node, state, found }));
}

describe('in a Cluster', () => {
  it('the health has each node, and says which one is not as it must be', async () => {
    const [, evicting] = site.cluster.nodes as [LocalServer, LocalServer];
    await onNode(evicting, 'CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
    const { redis: health } = await admin.overview();
    expect(health.nodes.map(({ node }) => node)).toEqual(site.cluster.nodes.map(nameOf).sort());
    expect(health).toMatchObject({ evictionPolicy: 'allkeys-lru', appendOnly: true, maxBytes: 3 * 512 * 1_048_576 });
    expect(health.usedBytes).toBe(health.nodes.reduce((sum, { usedBytes }) => sum + usedBytes!, 0));
    expect(health.concerns.filter((concern) => concern.startsWith('Node'))).toEqual([expect.stringMatching(`^Node ${nameOf(evicting)}: maxmemory-policy is allkeys-lru`)]);
  });

  it('the doctor looks at each node, and says which one a finding is about', async () => {
    expect(faultsIn((await admin.doctor()).findings)).toEqual([]);
    const [, idle, evicting] = site.cluster.nodes as [LocalServer, LocalServer, LocalServer];
    await onNode(evicting, 'CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
    await onNode(idle, 'CONFIG', 'SET', 'timeout', '30');
    await onNode(idle, 'ACL', 'SETUSER', 'default', '-xautoclaim', '-xclaim');
    const { findings, ok } = await admin.doctor();
    expect(faultsIn(findings)).toEqual([
      { check: 'eviction policy', node: nameOf(evicting), state: 'fault', found: 'allkeys-lru' },
      { check: 'idle connections', node: nameOf(idle), state: 'warning', found: 'closed after 30 s' },
      { check: 'permissions', node: nameOf(idle), state: 'fault', found: 'refused: xclaim' },
    ]);
    expect(ok).toBe(false);
    expect(findings.filter(({ check }) => check === 'cluster')).toMatchObject([{ node: null, state: 'ok', found: expect.stringContaining('16384 of 16384') }]);
  });

  it('the doctor names slots that no node has', async () => {
    for (const each of site.cluster.nodes) await onNode(each, 'CLUSTER', 'DELSLOTS', '8000');
    const coverage = async (): Promise<Finding[]> => (await admin.doctor()).findings.filter(({ check }) => check === 'cluster');
    const uncovered = async (): Promise<Finding | undefined> => (await coverage()).find(({ found }) => found.includes('16383 of 16384'));
    await waitFor(async () => (await uncovered())?.state === 'fault', { what: 'the doctor to miss a slot', timeoutMs: 20_000 });
  });

  it('the doctor and the overview tell of a node that is away, and of what the others have', async () => {
    const publisher = new Publisher(streams);
    await publisher.publishMany(Mail, mails(3));
    await publisher.publishMany(Order, orders(30));
    const topics = [Mail, Order].map((topic) => topicOf(topic).name);
    // The node goes that has the orders, or a part of them, and neither the index nor the mails.
    const keys = [TOPICS, logOf(topics[0]!, 0)];
    const away = await nodeWithout(...keys);
    const partitions = await Promise.all([0, 1, 2].map((partition) => nodeOf(logOf(topics[1]!, partition))));
    expect(partitions).toContain(away);
    away.freeze();
    const isTold = async (): Promise<boolean> => (await admin.doctor()).findings.some(({ check, node }) => check === 'node' && node === nameOf(away));
    await waitFor(isTold, { what: 'the doctor to name the node', timeoutMs: 20_000 });
    expect((await admin.doctor()).ok).toBe(false);
    const { redis: health, sums } = await admin.overview();
    const silent = health.nodes.filter(({ problem }) => problem !== null);
    expect(silent).toMatchObject([{ node: nameOf(away), version: null, usedBytes: null }]);
    expect(health.concerns).toContainEqual(expect.stringMatching(`^Node ${nameOf(away)}: It does not answer`));
    expect(sums).toMatchObject({ topics: 1, complete: false, messages: 3 });
    const refused = { code: 'REDIS_UNREACHABLE', retryable: true, message: expect.stringContaining(nameOf(away)) };
    await expect(admin.topics.info(topics[1]!)).rejects.toMatchObject(refused);
    away.thaw();
  }, 60_000);
});
