import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { setTimeout } from 'node:timers/promises';
import { type TopicDefinition, topicOf } from '@millrace/core';
import { type LocalCluster, type LocalServer, onServer, slotOf, type Topology } from '@millrace/redis';
import { ClusterSite, uniqueName, waitFor } from '@millrace/testing';
import { partitionKeys } from '../src/keys.js';
import { type Process, startProcessAt } from './fixture.js';
import { Wide } from './topics.js';

const WAIT = { timeoutMs: 30_000 };

let site: ClusterSite;
let cluster: LocalCluster;
let prefix: string;
const processes: Process<Topology>[] = [];

beforeAll(async () => {
  site = await ClusterSite.start({ appendonly: 'always' });
  cluster = site.cluster;
});
beforeEach(() => void (prefix = uniqueName('broadcast')));
afterEach(async () => {
  await Promise.all(processes.splice(0).map((process) => process.stop()));
  await cluster.whenOk();
});
afterAll(() => site.stop());

async function start(name: string): Promise<Process<Topology>> {
  const process = await startProcessAt({ ...site.target, name }, { prefix, leaseMs: 10_000, publishDeadlineMs: 30_000 });
  processes.push(process);
  return process;
}

const topics: readonly TopicDefinition[] = [0, 1, 2, 3].map((number) => ({ ...topicOf(Wide), name: `wide.${number}` }));
const partitions = Array.from({ length: topicOf(Wide).partitions }, (_, partition) => partition);
const ownerOf = ({ name }: TopicDefinition, partition: number): Promise<LocalServer> =>
  cluster.primaryOf(slotOf(partitionKeys(prefix, name, partition).log));

/** Follows the topics, and notes `topic/id` of each message, in the order in which they come. */
async function follow({ streams }: Process<Topology>, followed = topics, concurrency = 16): Promise<string[]> {
  const seen: string[] = [];
  const handler = async ({ topic, message }: { topic: string; message: { id: string } }): Promise<{ kind: 'ack' }> => {
    seen.push(`${topic}/${message.id}`);
    return { kind: 'ack' };
  };
  await Promise.all(followed.map((topic) => streams.broadcast({ topic, concurrency }, handler)));
  return seen;
}

/** Publishes a message, to whichever partition its key leads. */
function publish({ streams }: Process<Topology>, topic: TopicDefinition, id: string): Promise<unknown> {
  const draft = { key: id, headers: {}, type: 'Wide', schemaVersion: 1, idempotencyKey: null, payloadJson: '{"value":1}' };
  return streams.publish(topic, { ...draft, id, publishedAt: Date.now(), trace: null } as never);
}

function isIn(ms: number, promise: Promise<unknown>): Promise<boolean> {
  return Promise.race([promise.then(() => true), setTimeout(ms, false)]);
}

/** The purposes of the connections that a process has to a node, and the channels that it hears there. */
async function connectionsTo(node: LocalServer, name: string): Promise<{ purposes: string[]; channels: number }> {
  const list = String(await onServer(node, (call) => call('CLIENT', 'LIST')));
  const own = [...list.matchAll(new RegExp(` name=${name}:([a-z:.]+)[^ ]* .* ssub=(\\d+) `, 'g'))];
  const subscribed = own.reduce((sum, [, , count]) => sum + Number(count), 0);
  return { purposes: own.map(([, purpose]) => purpose!).sort(), channels: subscribed };
}

async function channels(name: string): Promise<number> {
  const nodes = await cluster.primaries();
  const counts = await Promise.all(nodes.map((node) => connectionsTo(node, name)));
  return counts.reduce((sum, { channels: own }) => sum + own, 0);
}

describe('broadcasts in a Cluster', () => {
  it('have one connection to each node, however many topics and partitions there are, and each gets each message', async () => {
    const [publisher, one, two] = [await start('publisher'), await start('one'), await start('two')];
    const seen = [await follow(one), await follow(two)];
    await waitFor(async () => (await channels('one')) === topics.length * partitions.length, { what: 'all rings to be heard', ...WAIT });
    for (const node of await cluster.primaries()) {
      expect((await connectionsTo(node, 'one')).purposes).toEqual(['control', 'publish', 'rings']);
    }
    const ids = Array.from({ length: 200 }, (_, number) => String(number));
    await Promise.all(topics.flatMap((topic) => ids.map((id) => publish(publisher, topic, id))));
    await waitFor(() => seen.every(({ length }) => length >= 800), { what: 'all to reach both', ...WAIT });
    const expected = topics.flatMap(({ name }) => ids.map((id) => `${name}/${id}`)).sort();
    expect(seen.map((each) => each.sort())).toEqual([expected, expected]);
  });

  it.each([1, 16])('read nothing while nothing is published, and one partition for a message, with a concurrency of %i', async (concurrency) => {
    const [publisher, follower] = [await start('publisher'), await start('follower')];
    const seen = await follow(follower, topics.slice(0, 1), concurrency);
    await waitFor(async () => (await channels('follower')) === partitions.length, { what: 'all rings to be heard', ...WAIT });
    await publish(publisher, topics[0]!, 'first');
    await waitFor(() => seen.length === 1, { what: 'the first', ...WAIT });
    const before = await reads();
    for (let message = 0; message < 20; message += 1) {
      await publish(publisher, topics[0]!, String(message));
      await waitFor(() => seen.length === message + 2, { what: 'the next', ...WAIT });
    }
    // A look at all partitions may have come between.
    expect((await reads()) - before).toBeLessThanOrEqual(20 + partitions.length);
  });

  it('go on with the partitions of other nodes while one is away, and with its own at the successor', async () => {
    const [publisher, follower] = [await start('publisher'), await start('follower')];
    const [topic] = topics as [TopicDefinition];
    const seen = await follow(follower, [topic]);
    await waitFor(async () => (await channels('follower')) === partitions.length, { what: 'all rings to be heard', ...WAIT });
    const owners = await Promise.all(partitions.map((partition) => ownerOf(topic, partition)));
    const gone = owners[0]!;
    const stay = new Set(partitions.filter((partition) => owners[partition] !== gone));
    expect(stay.size).toBeGreaterThan(0);
    const published: string[] = [];
    await gone.kill();
    // Those that are published to the node that is away are tried until its successor takes them.
    const late: Promise<unknown>[] = [];
    const successor = async (): Promise<boolean> => {
      const id = uniqueName('message');
      published.push(id);
      const publishing = publish(publisher, topic, id);
      if (!(await isIn(300, publishing))) late.push(publishing);
      else await waitFor(() => seen.includes(`${topic.name}/${id}`), { what: 'a message of another node', ...WAIT });
      return (await ownerOf(topic, 0).catch(() => gone)) !== gone;
    };
    await waitFor(successor, { what: 'a replica to take over', ...WAIT });
    await Promise.all(late);
    for (let message = 0; message < 40; message += 1) {
      published.push(`after-${message}`);
      await publish(publisher, topic, `after-${message}`);
    }
    await waitFor(() => seen.length >= published.length, { what: 'all to come', ...WAIT });
    expect(seen.toSorted()).toEqual(published.map((id) => `${topic.name}/${id}`).sort());
    await gone.restart();
  });
});

/** How many reads the primaries have had. */
async function reads(): Promise<number> {
  const stats = await Promise.all((await cluster.primaries()).map((node) => onServer(node, (call) => call('INFO', 'commandstats'))));
  return stats.reduce<number>((sum, text) => sum + Number(/cmdstat_xread:calls=(\d+)/.exec(String(text))?.[1] ?? 0), 0);
}
