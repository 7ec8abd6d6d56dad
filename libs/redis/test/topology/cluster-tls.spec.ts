import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type ClusterTarget, LocalCluster, LocalServer, onServer, type RedisTls, slotOf, type Topology } from '@millrace/redis';
import { Authority, freePort, testBinary, waitFor } from '@millrace/testing';
import { closeAll, connect, failure } from './connecting.js';

const KEY = '{tls}:key';
const SLOT = slotOf(KEY);
const NAMED = ['--cluster-announce-hostname', 'localhost', '--cluster-preferred-endpoint-type', 'hostname'];

let binary: string;
let authority: Authority;
let stranger: Authority;
/** By address. */
let cluster: LocalCluster;
/** By the name localhost, and it asks for certificates. */
let named: LocalCluster;

beforeAll(async () => {
  binary = await testBinary();
  authority = new Authority();
  stranger = new Authority();
  cluster = await LocalCluster.start({ binary, tls: authority.server('IP:127.0.0.1') });
  named = await LocalCluster.start({ binary, replicas: 0, tls: authority.server('DNS:localhost', { asksClients: true }), extra: NAMED });
});
afterEach(closeAll);
afterAll(async () => {
  await Promise.all([cluster.stop(), named.stop()]);
  for (const each of [authority, stranger]) each.remove();
});

function target(of: LocalCluster, tls: RedisTls | null, host = '127.0.0.1'): ClusterTarget {
  return { cluster: { nodes: of.nodes.map(({ port }) => ({ host, port })) }, ...(tls ? { tls } : {}) };
}

/** The certificate of this process, by that authority. */
function own(by: Authority): RedisTls {
  return by.trust(by.sign('client', 'DNS:client.test'));
}

/** A channel of a slot is heard, which may have to be asked for more than once while the slot moves. */
async function heard(topology: Topology, channel: string): Promise<void> {
  const texts: string[] = [];
  const listener = topology.listening('hear');
  listener.watch({ ready: () => undefined, lost: () => undefined, message: (_, text) => void texts.push(text) });
  await waitFor(async () => (await listener.subscribe([channel]), true), { what: 'the listener to subscribe' });
  await topology.publishFor(channel).call('SPUBLISH', channel, 'ring');
  await waitFor(() => texts.includes('ring'), { what: 'the ring' });
  listener.close();
}

describe.each([
  ['by address', () => cluster, () => target(cluster, authority.trust())],
  ['by the URL of one node', () => cluster, () => ({ url: cluster.nodes[1]!.url, tls: authority.trust() })],
  ['by name, with a certificate of this process', () => named, () => target(named, own(authority), 'localhost')],
])('a Redis Cluster with TLS, %s', (_, all, where) => {
  it('takes writes and gives reads and rings, also when a slot has gone to another node', async () => {
    const topology = await connect(where());
    await topology.publishFor(KEY).call('SET', KEY, 'kept');
    await heard(topology, KEY);
    const from = await all().primaryOf(SLOT);
    const to = (await all().primaries()).find((node) => node !== from)!;
    await all().beginMigration(SLOT, to);
    expect(await topology.controlFor(KEY).call('EXISTS', `${KEY}:other`)).toBe(0);
    await all().moveKeys(SLOT, to);
    expect(await topology.controlFor(KEY).call('GET', KEY)).toBe('kept');
    await all().finishMigration(SLOT, to);
    expect(await topology.publishFor(KEY).call('GET', KEY)).toBe('kept');
    await heard(topology, KEY);
    const reader = topology.blockingFor(KEY, 'read');
    expect(await reader.whenReady(5_000)).toBe(true);
    expect(await reader.call('GET', KEY)).toBe('kept');
  });
});

describe('a Redis Cluster with TLS', () => {
  it('is followed to a replica that takes over', async () => {
    const topology = await connect(target(cluster, authority.trust()));
    const [replica] = await cluster.replicasOf(await cluster.primaryOf(SLOT));
    await cluster.failover(replica!);
    const write = (): Promise<unknown> => topology.publishFor(KEY).call('SET', KEY, 'after');
    await waitFor(async () => (await write()) === 'OK', { what: 'the new primary to take a write' });
    expect(await onServer(replica!, (call) => call('GET', KEY))).toBe('after');
    await heard(topology, KEY);
    await cluster.whenOk();
  });
});

describe('a start', () => {
  it.each<[string, () => ClusterTarget, string, RegExp]>([
    ['an authority that did not sign', () => target(cluster, stranger.trust()), 'self-signed certificate', /tls\.ca, or MILLRACE_REDIS_CA/],
    ['no authority', () => target(cluster, {}), 'self-signed certificate', /tls\.ca, or MILLRACE_REDIS_CA/],
    ['a certificate without the name that is given', () => target(cluster, authority.trust(), 'localhost'), 'localhost', /cluster-announce-hostname/],
    ['a certificate without the address that is given', () => target(named, own(authority)), '127.0.0.1 is not in the cert', /cluster-announce-hostname/],
    ['no certificate of this process', () => target(named, authority.trust(), 'localhost'), 'certificate required', /tls\.cert and tls\.key/],
    ['a certificate of this process by another authority', () => target(named, { ...own(stranger), ca: authority.trust().ca! }, 'localhost'), 'unknown ca', /tls-ca-cert-file/],
  ])('says what is not trusted, and what to do: %s', async (_, wrong, why, advice) => {
    const error = await failure(wrong());
    expect(error).toMatchObject({ code: 'REDIS_UNREACHABLE', message: expect.stringMatching(/^The Redis at \S+:\d+ and this process do not trust each other/) });
    expect(error.message).toContain(why);
    expect(error.message).toMatch(advice);
    expect(error.message).not.toMatch(/SSL routines|openssl|\.c:\d/);
  });

  it('names the announced address to which a certificate does not fit', async () => {
    const each = (...words: [string, ...string[]]): Promise<unknown[]> =>
      Promise.all(cluster.nodes.map((node) => onServer(node, (call) => call(...words))));
    const set = async (type: string, name: string): Promise<void> => {
      await each('CONFIG', 'SET', 'cluster-announce-hostname', name);
      await each('CONFIG', 'SET', 'cluster-preferred-endpoint-type', type);
    };
    await set('hostname', 'localhost');
    await waitFor(async () => !JSON.stringify(await each('CLUSTER', 'SLOTS')).includes('"?"'), { what: 'each node to know the names' });
    const error = await failure(target(cluster, authority.trust())).finally(() => set('ip', ''));
    expect(error).toMatchObject({ code: 'REDIS_UNREACHABLE', message: expect.stringMatching(/^The Redis at localhost:\d+ .*altnames.*tls\.servername/) });
  });

  it('says that a port may speak TLS alone', async () => {
    const [error, byUrl] = await Promise.all([target(cluster, null), { url: cluster.nodes[0]!.url.replace('rediss', 'redis') }].map(failure));
    expect(error).toMatchObject({ code: 'REDIS_UNREACHABLE', message: expect.stringMatching(/If the port there speaks TLS alone, set tls/) });
    expect(error!.problems.join()).toContain(`127.0.0.1:${cluster.nodes[0]!.port}: `);
    expect(byUrl).toMatchObject({ code: 'REDIS_UNREACHABLE', message: expect.stringContaining('write rediss://') });
  });

  it('says that a port may not speak TLS', async () => {
    const plain = await LocalCluster.start({ binary, replicas: 0, primaries: 1 });
    const tls = authority.trust();
    const errors = await Promise.all([target(plain, tls), { url: plain.nodes[0]!.url.replace('redis', 'rediss'), tls }].map(failure));
    for (const error of errors) expect(error).toMatchObject({ code: 'REDIS_UNREACHABLE', message: expect.stringMatching(/speak.* TLS.*leave tls out, and in a URL write redis:/) });
    await plain.stop();
  });

  it('says that nodes may announce their ports without TLS', async () => {
    const port = String(await freePort());
    const extra = ['--port', port, '--tls-cluster', 'no'];
    const node = await LocalServer.start({ binary, isClusterNode: true, tls: authority.server('IP:127.0.0.1'), extra });
    await onServer(node, (call) => call('CLUSTER', 'ADDSLOTSRANGE', 0, 16_383));
    const error = await failure({ url: node.url, tls: authority.trust() }).finally(() => node.stop());
    expect(error).toMatchObject({ code: 'REDIS_UNREACHABLE', message: expect.stringContaining('tls-cluster yes') });
    expect([error.message, ...error.problems].join()).toContain(`127.0.0.1:${port}`);
  });
});
