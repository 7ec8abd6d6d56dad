import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  BLOCK_MS, type LocalCluster, type LocalServer, onServer, type RedisConnection,
  type RunnableScript, slotOf, type Topology,
} from '@millrace/redis';
import { ClusterSite, startTestRedis, waitFor } from '@millrace/testing';
import { closeAll, connect, failure } from './connecting.js';

let site: ClusterSite;
let cluster: LocalCluster;

beforeAll(async () => {
  site = await ClusterSite.start({ appendonly: 'always' });
  cluster = site.cluster;
});
afterEach(async () => {
  closeAll();
  await cluster.whenOk();
});
afterAll(() => site.stop());

function joined(): Promise<Topology> {
  return connect({ ...site.target, name: 'spec' });
}

/** A key of this hash tag, and its slot. */
const keyOf = (tag: string): string => `spec:{${tag}}:key`;

async function elsewhere(slot: number): Promise<LocalServer> {
  const owner = await cluster.primaryOf(slot);
  return (await cluster.primaries()).find((node) => node !== owner)!;
}

/** The names of the connections that this topology has to a node. */
async function namesAt(node: LocalServer): Promise<string[]> {
  const list = String(await onServer(node, (call) => call('CLIENT', 'LIST')));
  return [...list.matchAll(/ name=spec:([^@ ]+)@/g)].map(([, name]) => name!).sort();
}

const SUM: RunnableScript = { name: 'sum.lua', source: "return redis.call('INCRBY', KEYS[1], ARGV[1])", sha: '53c5d4ac2d7bc0e85a2e0ef3b5d6d0b5b4b6fa2e' };

describe('a Redis Cluster', () => {
  it('has two connections to each node with slots, however many keys there are, and one for each purpose besides', async () => {
    const topology = await joined();
    const keys = Array.from({ length: 300 }, (_, index) => keyOf(`many-${index}`));
    await Promise.all(keys.map((key) => topology.publishFor(key).call('SET', key, 'x')));
    await Promise.all(keys.map((key) => topology.controlFor(key).call('GET', key)));
    for (const node of await cluster.primaries()) expect(await namesAt(node)).toEqual(['control', 'publish']);
    await Promise.all(keys.map((key) => topology.waitingFor(key, 'wait').whenReady(5_000)));
    await Promise.all(keys.map((key) => topology.waitingFor(key, 'wait').call('SET', key, 'y')));
    const listener = topology.listening('hear');
    await listener.subscribe(keys);
    for (const node of await cluster.primaries()) expect(await namesAt(node)).toEqual(['control', 'hear#1', 'publish', 'wait']);
    listener.close();
    const reader = topology.blockingFor(keys[0]!, 'read');
    expect(await reader.whenReady(5_000)).toBe(true);
    expect(await namesAt(await cluster.primaryOf(slotOf(keys[0]!)))).toEqual(['control', 'publish', 'read#2', 'wait']);
    reader.close();
    topology.close();
    for (const node of cluster.nodes) await waitFor(async () => (await namesAt(node)).length === 0, { what: 'no connection to be left' });
  });

  it('gives keys of one slot the same connection, which is kept', async () => {
    const topology = await joined();
    expect(topology.publishFor('a:{tag}:1')).toBe(topology.publishFor('b:{tag}:2'));
    expect(topology.controlFor('a:{tag}:1')).not.toBe(topology.publishFor('a:{tag}:1'));
    expect(topology.publishFor('a:{other}:1')).not.toBe(topology.publishFor('a:{tag}:1'));
  });

  it('sends a command to the node that a slot has gone to, and lets its epoch grow', async () => {
    const topology = await joined();
    const key = keyOf('moved');
    const connection = topology.publishFor(key);
    await connection.call('SET', key, '1');
    const { connectionEpoch } = connection;
    await cluster.migrate([slotOf(key)], await elsewhere(slotOf(key)));
    expect(await connection.call('GET', key)).toBe('1');
    expect(connection.connectionEpoch).toBeGreaterThan(connectionEpoch);
  });

  it('finds keys on either side of a slot that is between two nodes, and waits for those that are on both', async () => {
    const topology = await joined();
    const [one, two, none] = ['1', '2', '3'].map((name) => `spec:{between}:${name}`) as [string, string, string];
    const connection = topology.publishFor(one);
    for (const key of [one, two]) await connection.call('SET', key, 'kept');
    const slot = slotOf(one);
    const to = await elsewhere(slot);
    await cluster.beginMigration(slot, to);
    await cluster.moveKeys(slot, to, 1);
    expect(await Promise.all([one, two].map((key) => connection.call('GET', key)))).toEqual(['kept', 'kept']);
    expect(await connection.run(SUM, [none], [2])).toBe(2);
    expect(await onServer(to, async (call) => (await call('ASKING'), call('GET', none)))).toBe('2');
    const both = connection.call('MGET', one, two);
    await cluster.moveKeys(slot, to);
    expect(await both).toEqual(['kept', 'kept']);
    await cluster.finishMigration(slot, to);
    expect(await connection.call('MGET', one, two, none)).toEqual(['kept', 'kept', '2']);
  });

  it('says that nothing happened when keys stay on both sides for longer than it waits', async () => {
    const topology = await joined();
    const [one, two] = ['1', '2'].map((name) => `spec:{stuck}:${name}`) as [string, string];
    const connection = topology.publishFor(one);
    for (const key of [one, two]) await connection.call('SET', key, 'kept');
    const slot = slotOf(one);
    const to = await elsewhere(slot);
    await cluster.beginMigration(slot, to);
    await cluster.moveKeys(slot, to, 1);
    const refused = connection.call('MGET', one, two).catch((error: unknown) => error);
    try {
      const error = await waitFor(() => refused, { what: 'the command to be refused', timeoutMs: 20_000 });
      expect(error).toMatchObject({ kind: 'unavailable', retryable: true });
    } finally {
      await cluster.moveKeys(slot, to);
      await cluster.finishMigration(slot, to);
    }
  });

  it('sends a confirmation to the node that got the write', async () => {
    const topology = await joined();
    const key = keyOf('confirmed');
    const connection = topology.waitingFor(key, 'wait');
    await connection.whenReady(5_000);
    await connection.call('SET', key, '0');
    const [from, to] = [await cluster.primaryOf(slotOf(key)), await elsewhere(slotOf(key))];
    await cluster.migrate([slotOf(key)], to);
    const waits = async (node: LocalServer): Promise<number> =>
      Number(/cmdstat_wait:calls=(\d+)/.exec(String(await onServer(node, (call) => call('INFO', 'commandstats'))))?.[1] ?? 0);
    const before = await waits(to);
    const [stored, asked] = await connection.callBoth(['INCR', key], ['WAIT', 1, 2_000]);
    expect([stored, asked]).toEqual([{ status: 'fulfilled', value: 1 }, { status: 'fulfilled', value: 1 }]);
    expect(await waits(to)).toBe(before + 1);
    expect(await waits(from)).toBeGreaterThan(0);
  });

  it('lets a read that waits go on at the other node when its slot has gone there', async () => {
    const topology = await joined();
    const key = keyOf('stream');
    const writer = topology.publishFor(key);
    await writer.call('XADD', key, '1-0', 'f', 'v');
    const reader = topology.blockingFor(key, 'read');
    await reader.whenReady(5_000);
    const waiting = reader.call('XREAD', 'BLOCK', BLOCK_MS, 'STREAMS', key, '1-0');
    const from = await cluster.primaryOf(slotOf(key));
    await cluster.migrate([slotOf(key)], await elsewhere(slotOf(key)));
    await writer.call('XADD', key, '2-0', 'f', 'w');
    expect(await waiting).toEqual([[key, [['2-0', ['f', 'w']]]]]);
    expect(await namesAt(await cluster.primaryOf(slotOf(key)))).toContain('read#1');
    await waitFor(async () => !(await namesAt(from)).includes('read#1'), { what: 'the reader to leave the old node' });
    reader.close();
  });

  it.each([
    ['made', (topology: Topology, key: string) => topology.blockingFor(key, 'read')],
    ['there', (topology: Topology, key: string) => topology.publishFor(key)],
  ])('tells who watches it that it is lost, and ready, when its slot has gone to another node: its connection there is %s', async (_, open) => {
    const topology = await joined();
    const key = keyOf('watched');
    const connection = open(topology, key);
    await connection.whenReady(5_000);
    const happened: string[] = [];
    connection.watch({ ready: () => void happened.push('ready'), lost: () => void happened.push('lost'), message: () => undefined });
    await cluster.migrate([slotOf(key)], await elsewhere(slotOf(key)));
    expect(await connection.call('GET', key)).toBeNull();
    await waitFor(() => happened.at(-1) === 'ready', { what: 'it to be ready again' });
    expect(happened[0]).toBe('lost');
  });

  it('tells a member of a group whose stream goes away that nothing happened, and not that the stream is lost', async () => {
    const topology = await joined();
    const key = keyOf('group');
    const writer = topology.publishFor(key);
    await writer.call('XGROUP', 'CREATE', key, 'g', '$', 'MKSTREAM');
    const reader = topology.blockingFor(key, 'read');
    await reader.whenReady(5_000);
    const read = (): Promise<unknown> => reader.call('XREADGROUP', 'GROUP', 'g', 'c', 'BLOCK', BLOCK_MS, 'STREAMS', key, '>');
    const [slot, to] = [slotOf(key), await elsewhere(slotOf(key))];
    const waiting = read();
    waiting.catch(() => undefined);
    await waitFor(() => isBlocked(slot), { what: 'the read to wait' });
    await cluster.beginMigration(slot, to);
    await cluster.moveKeys(slot, to);
    await expect(waiting).rejects.toMatchObject({ kind: 'unavailable' });
    await writer.call('XADD', key, '1-0', 'f', 'v');
    expect(await read()).toEqual([[key, [['1-0', ['f', 'v']]]]]);
    await cluster.finishMigration(slot, to);
    reader.close();
  });

  it('knows scripts again after a failover, and a subscription is lost and made again', async () => {
    const topology = await joined();
    const key = keyOf('script');
    const connection = topology.publishFor(key);
    await connection.run(SUM, [key], [1]);
    const heard: string[] = [];
    const happened: string[] = [];
    const listener = topology.listening('hear');
    const subscribe = (): Promise<void> => listener.subscribe([keyOf('script')]);
    listener.watch({
      ready: () => void (happened.push('ready'), subscribe()),
      lost: () => void happened.push('lost'),
      message: (_, text) => void heard.push(text),
    });
    await subscribe();
    const [replica] = await cluster.replicasOf(await cluster.primaryOf(slotOf(key)));
    await cluster.failover(replica!);
    await waitFor(async () => (await connection.run(SUM, [key], [0])) === 1, { what: 'the new primary to answer' });
    await waitFor(() => happened.includes('lost') && happened.includes('ready'), { what: 'the listener to have noticed' });
    const ring = (): Promise<unknown> => connection.call('SPUBLISH', keyOf('script'), 'after');
    await waitFor(async () => (await ring()) === 1 && heard.includes('after'), { what: 'the listener to hear the new primary' });
    listener.close();
  });

  it('goes on with the other nodes while one is away, and comes back to its successor', async () => {
    const topology = await joined();
    const key = keyOf('killed');
    const gone = await cluster.primaryOf(slotOf(key));
    const others = await otherKeys(gone);
    await topology.publishFor(key).call('SET', key, '1');
    await gone.kill();
    for (const other of others) await settled(topology.publishFor(other), ['SET', other, 'x']);
    await expect(topology.publishFor(key).call('GET', key)).rejects.toMatchObject({ code: 'REDIS_UNREACHABLE' });
    await settled(topology.publishFor(key), ['GET', key]);
    await gone.restart();
  });

  it('begins with any of its nodes, also by the URL of one', async () => {
    for (const node of cluster.nodes) {
      const topology = await connect({ url: node.url });
      expect(await topology.publishFor('a').call('SET', 'a', node.url)).toBe('OK');
      await topology.ping();
    }
    expect(await failure({ url: `${cluster.nodes[0]!.url}/3` })).toMatchObject({ code: 'INVALID_OPTIONS', message: expect.stringContaining('database 0 alone') });
  });
});

describe('a start', () => {
  it('names the settings with which more is lost, or stops, than must be', async () => {
    const all = (name: string, value: string): Promise<unknown> =>
      Promise.all(cluster.nodes.map((node) => onServer(node, (call) => call('CONFIG', 'SET', name, value))));
    const { server } = await joined();
    expect(server.concerns).toEqual([expect.stringMatching(/127.0.0.1:\d+, .* takes writes without any replica\. Set min-replicas-to-write 1/)]);
    await all('min-replicas-to-write', '1');
    expect((await joined()).server.concerns).toEqual([]);
    await all('cluster-require-full-coverage', 'yes');
    await all('maxmemory-policy', 'allkeys-lru');
    const worse = (await joined()).server;
    expect(worse.concerns).toEqual([expect.stringContaining('cluster-require-full-coverage yes. Set it to no')]);
    expect(worse.evictionPolicy).toBe('allkeys-lru');
    for (const [name, value] of [['min-replicas-to-write', '0'], ['cluster-require-full-coverage', 'no'], ['maxmemory-policy', 'noeviction']] as const) {
      await all(name, value);
    }
  });

  it('passes over nodes that are not there', async () => {
    const nodes = [{ host: '127.0.0.1', port: 1 }, { host: '127.0.0.1', port: cluster.nodes[3]!.port }];
    const topology = await connect({ cluster: { nodes } });
    expect(await topology.publishFor('a').call('PING')).toBe('PONG');
  });

  it('names the announced addresses that cannot be reached', async () => {
    const nodes = [{ host: '127.0.0.1', port: cluster.nodes[0]!.port }];
    const [primary] = (await cluster.primaries()).filter(({ port }) => port !== nodes[0]!.port);
    const natMap = { [`127.0.0.1:${primary!.port}`]: { host: '127.0.0.1', port: 1 } };
    const error = await failure({ cluster: { nodes, natMap } });
    expect(error).toMatchObject({ code: 'REDIS_UNREACHABLE', retryable: true, message: expect.stringContaining('natMap') });
    expect(error.problems.join()).toContain(`127.0.0.1:${primary!.port}`);
  });

  it('says that no node answers', async () => {
    expect(await failure({ cluster: { nodes: [{ host: '127.0.0.1', port: 1 }] } })).toMatchObject({
      code: 'REDIS_UNREACHABLE', message: expect.stringContaining('No node of the Redis Cluster answers'),
    });
  });

  it('says that a Redis without a Cluster is none', async () => {
    const server = await startTestRedis();
    const error = await failure({ cluster: { nodes: [{ host: '127.0.0.1', port: server.port }] } }).finally(() => server.stop());
    expect(error).toMatchObject({ code: 'REDIS_UNSUPPORTED', message: expect.stringContaining('is no node of a Cluster') });
  });

  it('says which slots no node has', async () => {
    const server = await startTestRedis({ extra: ['--cluster-enabled', 'yes'] });
    await onServer(server, (call) => call('CLUSTER', 'ADDSLOTSRANGE', 0, 16_000));
    const error = await failure({ url: server.url }).finally(() => server.stop());
    expect(error).toMatchObject({ code: 'REDIS_UNREACHABLE' });
    expect(error.problems.join()).toContain('16001-16383');
  });

  it('refuses a wrong password at once, and wrong addresses before anything connects', async () => {
    expect(await failure({ ...site.target, username: 'nobody', password: 'wrong' })).toMatchObject({ code: 'REDIS_FAILED' });
    for (const nodes of [[], [{ host: '', port: 1 }], [{ host: 'a', port: 0 }], [null as never]]) {
      expect(await failure({ cluster: { nodes } })).toMatchObject({ code: 'INVALID_OPTIONS' });
    }
  });
});

/** Whether a client of the node that has the slot waits inside Redis. */
async function isBlocked(slot: number): Promise<boolean> {
  const info = await onServer(await cluster.primaryOf(slot), (call) => call('INFO', 'clients'));
  return /blocked_clients:[1-9]/.test(String(info));
}

/** A key on each of the other nodes. */
async function otherKeys(gone: LocalServer): Promise<string[]> {
  const found = new Map<LocalServer, string>();
  for (let index = 0; found.size < 2; index += 1) {
    const owner = await cluster.primaryOf(slotOf(keyOf(`o${index}`)));
    if (owner !== gone && !found.has(owner)) found.set(owner, keyOf(`o${index}`));
  }
  return [...found.values()];
}

/** Resolves when the command succeeds: the Cluster may be about to notice that a node is gone. */
function settled(connection: RedisConnection, command: readonly [string, ...string[]]): Promise<unknown> {
  return waitFor(() => connection.call(...command), { what: `${command.join(' ')} to succeed`, timeoutMs: 30_000 });
}
