import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { listen, type MillraceError } from '@millrace/core';
import { type ClusterTarget, LocalCluster, LocalServer, onServer, type RedisAddress, slotOf, type Topology } from '@millrace/redis';
import { freePort, startTestRedis, TcpProxy, testBinary, waitFor } from '@millrace/testing';
import { closeAll, connect, failure } from './connecting.js';

const KEY = '{start}:key';
const SLOT = slotOf(KEY);
/** A node that has much to load answers meanwhile. */
const LOADED_BYTES = 1_024;
const LOADING = [
  '--enable-debug-command', 'local', '--rdbcompression', 'no',
  '--key-load-delay', '20000', '--loading-process-events-interval-bytes', String(LOADED_BYTES),
];

let binary: string;
let cluster: LocalCluster;
/** Another one, of one node. */
let foreign: LocalCluster;

beforeAll(async () => {
  binary = await testBinary();
  cluster = await LocalCluster.start({ binary, replicas: 0, extra: LOADING });
  foreign = await LocalCluster.start({ binary, primaries: 1, replicas: 0 });
});
afterEach(async () => {
  closeAll();
  await cluster.whenOk();
});
afterAll(() => Promise.all([cluster.stop(), foreign.stop()]));

function addressOf({ port }: { readonly port: number }): RedisAddress {
  return { host: '127.0.0.1', port };
}

function target(...others: { readonly port: number }[]): ClusterTarget {
  return { cluster: { nodes: [...others, ...cluster.nodes].map(addressOf) } };
}

function each(...words: [string, ...(string | number)[]]): Promise<unknown> {
  return Promise.all(cluster.nodes.map((node) => onServer(node, (call) => call(...words))));
}

async function elsewhere(): Promise<LocalServer> {
  const owner = await cluster.primaryOf(SLOT);
  return (await cluster.primaries()).find((node) => node !== owner)!;
}

/** A value for a key of each node, which is read again. */
async function works(topology: Topology): Promise<boolean> {
  const keys = ['a', 'b', 'c', KEY];
  await Promise.all(keys.map((key) => topology.publishFor(key).call('SET', key, key)));
  const values = await Promise.all(keys.map((key) => topology.controlFor(key).call('GET', key)));
  await topology.ping();
  return values.join() === keys.join();
}

/** All that a start says of why it failed. */
function words({ message, problems }: MillraceError): string {
  return [message, ...problems].join('\n');
}

/** A node that belongs to no Cluster. */
function freshNode(): Promise<LocalServer> {
  return LocalServer.start({ binary, isClusterNode: true });
}

describe('a start with a Redis Cluster', () => {
  it('finds keys of slots that are on the move', async () => {
    await works(await connect(target()));
    const to = await elsewhere();
    await cluster.beginMigration(SLOT, to);
    const before = await connect(target());
    expect(await works(before)).toBe(true);
    await cluster.moveKeys(SLOT, to);
    const between = await connect(target());
    expect(await between.controlFor(KEY).call('GET', KEY)).toBe(KEY);
    await cluster.finishMigration(SLOT, to);
    expect([await works(before), await works(between)]).toEqual([true, true]);
  });

  it.each([
    ['no address', 'unknown-endpoint', /MOVED \d+ :\d+/],
    ['a name that they do not have', 'hostname', /MOVED \d+ \?:\d+/],
  ])('reaches nodes that announce %s, also where they send a command', async (_, type, redirect) => {
    await each('CONFIG', 'SET', 'cluster-preferred-endpoint-type', type);
    const topology = await connect(target());
    expect(await works(topology)).toBe(true);
    const [from, to] = [await cluster.primaryOf(SLOT), await elsewhere()];
    await cluster.migrate([SLOT], to);
    await expect(onServer(from, (call) => call('GET', KEY))).rejects.toThrow(redirect);
    expect(await topology.publishFor(KEY).call('GET', KEY)).toBe(KEY);
    expect(await works(topology)).toBe(true);
    await each('CONFIG', 'SET', 'cluster-preferred-endpoint-type', 'ip');
  });

  it('finds a slot on a node that is new, and announces a name that it does not have', async () => {
    const [fresh, owner] = [await freshNode(), await cluster.primaryOf(SLOT)];
    const idOf = (node: LocalServer): Promise<string> => onServer(node, async (call) => String(await call('CLUSTER', 'MYID')));
    const nodes = (): Promise<string[]> => Promise.all([fresh, ...cluster.nodes].map((node) => onServer(node, async (call) => String(await call('CLUSTER', 'NODES')))));
    await onServer(fresh, (call) => call('CONFIG', 'SET', 'cluster-require-full-coverage', 'no'));
    await onServer(owner, (call) => call('CLUSTER', 'MEET', '127.0.0.1', fresh.port, fresh.busPort!));
    await waitFor(async () => (await nodes()).every((text) => text.trim().split('\n').length === 4 && !text.includes('handshake')), { what: 'all to know the node' });
    const state = (): Promise<unknown> => onServer(fresh, (call) => call('CLUSTER', 'INFO'));
    await waitFor(async () => String(await state()).includes('cluster_state:ok'), { what: 'the node to serve' });
    await each('CONFIG', 'SET', 'cluster-preferred-endpoint-type', 'hostname');
    const topology = await connect(target());
    await topology.publishFor(KEY).call('SET', KEY, KEY);
    await cluster.migrate([SLOT], fresh);
    await expect(onServer(owner, (call) => call('GET', KEY))).rejects.toThrow(`MOVED ${SLOT} ?:${fresh.port}`);
    expect(await topology.publishFor(KEY).call('GET', KEY)).toBe(KEY);
    await each('CONFIG', 'SET', 'cluster-preferred-endpoint-type', 'ip');
    const [id, freshId] = [await idOf(owner), await idOf(fresh)];
    await onServer(fresh, (call) => call('FLUSHALL'));
    await Promise.all([fresh, ...cluster.nodes].map((node) => onServer(node, (call) => call('CLUSTER', 'SETSLOT', SLOT, 'NODE', id))));
    await each('CLUSTER', 'FORGET', freshId);
    await fresh.stop();
  });

  it('reaches nodes by the addresses of natMap, and passes over named ones that are away', async () => {
    const gone = { port: await freePort() };
    const natMap = Object.fromEntries(cluster.nodes.map(({ port }) => [`127.0.0.1:${port}`, { host: 'localhost', port }]));
    const topology = await connect({ cluster: { ...target(gone).cluster, natMap } });
    expect(await works(topology)).toBe(true);
    expect(topology.server.concerns).toContainEqual(expect.stringMatching(`127.0.0.1:${gone.port} is named, and helps no start: connect ECONNREFUSED`));
  });

  it('passes over a named node that was taken out of the Cluster, and tells of it', async () => {
    const fresh = await freshNode();
    const orders = [target(fresh), { cluster: { nodes: [...target().cluster.nodes, addressOf(fresh)] } }];
    for (const order of orders) {
      const topology = await connect(order);
      expect(await works(topology)).toBe(true);
      expect(topology.server.concerns).toContainEqual(expect.stringMatching(`127.0.0.1:${fresh.port} is named, and helps no start: .* belongs to no Cluster`));
    }
    await fresh.stop();
  });

  it('says that the named nodes belong to no Cluster', async () => {
    const fresh = await freshNode();
    const error = await failure({ url: fresh.url }).finally(() => fresh.stop());
    expect(error).toMatchObject({ code: 'REDIS_UNREACHABLE', message: expect.stringMatching(/^No node that answers belongs to a Redis Cluster.*--cluster create/) });
    expect(words(error)).toContain(`127.0.0.1:${fresh.port}`);
  });

  it('refuses nodes of two Clusters, whichever answers first', async () => {
    const [stranger] = foreign.nodes;
    for (const nodes of [[stranger!, cluster.nodes[0]!], [cluster.nodes[0]!, stranger!]]) {
      const error = await failure({ cluster: { nodes: nodes.map(addressOf) } });
      expect(error).toMatchObject({ code: 'INVALID_OPTIONS', message: expect.stringContaining('belong to different Redis Clusters. Name nodes of one') });
      expect(error.message).toContain(`127.0.0.1:${stranger!.port}`);
    }
  });

  it('refuses a Redis without a Cluster beside nodes of one', async () => {
    const server = await startTestRedis();
    const error = await failure(target(server)).finally(() => server.stop());
    expect(error).toMatchObject({ code: 'REDIS_UNSUPPORTED', message: expect.stringContaining(`127.0.0.1:${server.port} is no node of a Cluster`) });
  });

  it('says which slots no node has, when each must have one', async () => {
    const owner = await cluster.primaryOf(17);
    await each('CONFIG', 'SET', 'cluster-require-full-coverage', 'yes');
    await each('CLUSTER', 'DELSLOTS', 17);
    const error = await failure(target()).finally(async () => {
      await onServer(owner, (call) => call('CLUSTER', 'ADDSLOTS', 17));
      await each('CONFIG', 'SET', 'cluster-require-full-coverage', 'no');
    });
    expect(error).toMatchObject({ code: 'REDIS_UNREACHABLE', problems: ['no node has the slots 17'], message: expect.stringContaining('CLUSTER ADDSLOTS') });
    expect(error.message).not.toContain('natMap');
  });

  it('waits for a node that has just come back to serve its slots', async () => {
    const node = await cluster.primaryOf(SLOT);
    await node.restart();
    await expect(onServer(node, (call) => call('GET', KEY))).rejects.toThrow('CLUSTERDOWN');
    expect(await works(await connect(target()))).toBe(true);
  });

  it('says which nodes refuse to serve since most others are away', async () => {
    const [alone, ...others] = cluster.nodes as [LocalServer, ...LocalServer[]];
    for (const other of others) other.freeze();
    const state = (): Promise<unknown> => onServer(alone, (call) => call('CLUSTER', 'INFO'));
    await waitFor(async () => String(await state()).includes('cluster_state:fail'), { what: 'the node to be cut off' });
    // All addresses answer.
    const natMap = Object.fromEntries(others.map(({ port }) => [`127.0.0.1:${port}`, addressOf(alone)]));
    const error = await failure({ cluster: { nodes: [addressOf(alone)], natMap } }).finally(() => {
      for (const other of others) other.thaw();
    });
    expect(error).toMatchObject({ code: 'REDIS_UNREACHABLE', retryable: true, message: expect.stringContaining('cut off from most others') });
    expect(error.problems).toContain(`127.0.0.1:${alone.port}: its cluster_state is fail`);
  });

  it('names the nodes that are away, or stand still, by the addresses that they announce', async () => {
    const [killed, frozen] = cluster.nodes as [LocalServer, LocalServer, LocalServer];
    await killed.kill();
    frozen.freeze();
    const error = await failure(target()).finally(async () => {
      frozen.thaw();
      await killed.restart();
    });
    expect(error).toMatchObject({ code: 'REDIS_UNREACHABLE', retryable: true, message: expect.stringContaining('cluster-announce-ip') });
    for (const { port } of [killed, frozen]) expect(words(error)).toContain(`127.0.0.1:${port}: `);
  });
});

describe('the address of a node that another Cluster was given', () => {
  let proxies: TcpProxy[];
  let topology: Topology;

  beforeEach(async () => {
    proxies = await Promise.all(cluster.nodes.map(({ url }) => TcpProxy.start(url)));
    const natMap = Object.fromEntries(cluster.nodes.map(({ port }, index) => [`127.0.0.1:${port}`, addressOf(proxies[index]!)]));
    topology = await connect({ cluster: { nodes: proxies.map(addressOf), natMap } });
  });
  afterEach(async () => {
    closeAll();
    await Promise.all(proxies.map((proxy) => proxy.stop()));
    await onServer(foreign.nodes[0]!, (call) => call('FLUSHALL'));
  });

  /** From now on some addresses lead to a node of the other Cluster. */
  function lead(some: readonly TcpProxy[]): void {
    for (const proxy of some) {
      proxy.retarget(foreign.nodes[0]!.url);
      proxy.reset();
    }
  }

  it('leads nobody there who still reaches nodes of its own', async () => {
    const index = cluster.nodes.indexOf(await elsewhere());
    const refused: string[] = [];
    const stop = listen('loop-failed', ({ error }) => void refused.push(error.message));
    lead([proxies[index]!]);
    await waitFor(() => refused.some((text) => text.includes('belongs to another Cluster')), { what: 'the other Cluster to be noticed' });
    stop();
    await topology.publishFor(KEY).call('SET', KEY, 'own');
    expect(await onServer(await cluster.primaryOf(SLOT), (call) => call('GET', KEY))).toBe('own');
  });

  it('leads everybody there when the whole Cluster was made anew', async () => {
    lead(proxies);
    const stored = async (): Promise<unknown> => {
      await topology.publishFor(KEY).call('SET', KEY, 'anew');
      return onServer(foreign.nodes[0]!, (call) => call('GET', KEY));
    };
    await waitFor(async () => (await stored()) === 'anew', { what: 'the new Cluster to be used' });
    await waitFor(async () => String(await onServer(foreign.nodes[0]!, (call) => call('CLIENT', 'LIST'))).includes(`publish@127.0.0.1:${foreign.nodes[0]!.port}`), { what: 'a connection by its address' });
  });
});

describe('a start while a node loads its data', () => {
  /** @returns ends the wait for its data */
  async function restartLoading(node: LocalServer, keys: number): Promise<() => Promise<void>> {
    await onServer(node, async (call) => [await call('DEBUG', 'POPULATE', keys, 'load', LOADED_BYTES), await call('SAVE')]);
    await node.kill();
    const back = node.restart();
    const isLoading = (): Promise<boolean> => onServer(node, async (call) => String(await call('INFO', 'persistence')).includes('loading:1'));
    await waitFor(isLoading, { what: 'the node to load' });
    return async () => {
      await onServer(node, (call) => call('CONFIG', 'SET', 'key-load-delay', 0));
      await back;
    };
  }

  it('waits for it', async () => {
    const finish = await restartLoading(cluster.nodes[0]!, 50);
    expect(await connect(target()).then(works).finally(finish)).toBe(true);
  });

  it('says that it may be loading when that takes too long', async () => {
    const [node] = cluster.nodes as [LocalServer];
    const finish = await restartLoading(node, 1_000);
    const errors = await Promise.all([target(), { cluster: { nodes: [addressOf(node)] } }].map(failure)).finally(finish);
    for (const error of errors) {
      expect(error).toMatchObject({ code: 'REDIS_UNREACHABLE', retryable: true });
      expect(error.problems).toEqual([`127.0.0.1:${node.port}: It takes connections, but is not ready: it may be loading its data.`]);
    }
  });
});
