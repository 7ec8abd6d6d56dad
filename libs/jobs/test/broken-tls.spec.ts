import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { LocalSentinels, LocalServer, onServer, type RedisAddress, type RedisTarget } from '@millrace/redis';
import { Authority, BreakingProxy, testBinary, TypeScriptChild, uniqueName } from '@millrace/testing';

const HOST = '127.0.0.1';

let authority: Authority;
let server: LocalServer;
/** The one node of a Cluster. */
let node: LocalServer;
let sentinels: LocalSentinels;
const proxies: BreakingProxy[] = [];
const children: TypeScriptChild[] = [];

beforeAll(async () => {
  authority = new Authority();
  const [binary, tls] = [await testBinary(), authority.server(`IP:${HOST}`)];
  server = await LocalServer.start({ binary, tls });
  node = await LocalServer.start({ binary, tls, isClusterNode: true });
  await onServer(node, (call) => call('CLUSTER', 'ADDSLOTSRANGE', 0, 16_383));
  sentinels = await LocalSentinels.start({ binary, tls, sentinelTls: tls, replicas: 0, sentinels: 2 });
});
afterEach(async () => {
  await Promise.all(children.splice(0).map((child) => child.kill()));
  await Promise.all(proxies.splice(0).map((proxy) => proxy.stop()));
});
afterAll(async () => {
  await Promise.all([server.stop(), node.stop(), sentinels.stop()]);
  authority.remove();
});

async function before(port: number, options = {}): Promise<BreakingProxy> {
  const proxy = await BreakingProxy.start(port, options);
  proxies.push(proxy);
  return proxy;
}

async function ofServer(): Promise<RedisTarget> {
  return { url: `rediss://${HOST}:${(await before(server.port)).port}`, tls: authority.trust() };
}

async function ofCluster(): Promise<RedisTarget> {
  const { port } = await before(node.port);
  const natMap = { [`${HOST}:${node.port}`]: { host: HOST, port } };
  return { cluster: { nodes: [{ host: HOST, port: node.port }], natMap }, tls: authority.trust() };
}

/** The first Sentinel breaks off whenever it is asked. */
async function behindSentinels(): Promise<RedisTarget> {
  const primary = await sentinels.whoIsPrimary();
  const { port } = await before(primary.port);
  const [first, second] = sentinels.addresses as [RedisAddress, RedisAddress];
  const broken = await before(first.port, { isBreaking: true });
  const nodes = [broken.port, second.port].map((each) => ({ host: HOST, port: each }));
  const natMap = { [`${HOST}:${primary.port}`]: { host: HOST, port } };
  const tls = authority.trust();
  return { sentinel: { nodes, primary: sentinels.primary, natMap, tls }, tls };
}

it.each([
  ['one server', ofServer],
  ['a Cluster', ofCluster],
  ['Sentinels', behindSentinels],
])('queues and workers live on when their connections with TLS break off with two errors each: %s', async (_, targetOf) => {
  const target = await targetOf();
  const child = new TypeScriptChild(new URL('./fixtures/queue-user.ts', import.meta.url), { args: [JSON.stringify(target), uniqueName('tls')] });
  children.push(child);
  expect(await child.line()).toBe('running');
  child.tell('anna');
  expect(await child.line()).toBe('done');
  // Those of the queue, and of the worker: one that waits for jobs, and another one.
  expect(await proxies[0]!.breakOff()).toBeGreaterThanOrEqual(3);
  child.tell('ben');
  expect(await child.line()).toBe('done');
  child.tell('nobody');
  expect(await child.ended).toEqual({ code: 0, signal: null });
});
