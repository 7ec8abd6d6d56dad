import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { LocalCluster, LocalSentinels, onServer, serverBinaries, slotOf } from '@millrace/redis';
import { Authority, expectNoChildren } from '@millrace/testing';

let binary: string;
let authority: Authority;
let all: LocalCluster | LocalSentinels | undefined;

beforeAll(async () => {
  [binary] = (await serverBinaries()) as [string];
  authority = new Authority();
});
afterEach(() => all?.stop());
afterAll(async () => {
  authority.remove();
  await expectNoChildren();
});

const KEY = '{a}:1';
const SLOT = slotOf(KEY);

describe('local servers that speak TLS alone', () => {
  it('form a cluster, whose slots move and whose replicas take over', async () => {
    const tls = authority.server('IP:127.0.0.1', { asksClients: true });
    const cluster = await LocalCluster.start({ binary, tls });
    all = cluster;
    const from = await cluster.primaryOf(SLOT);
    expect(from.url).toBe(`rediss://127.0.0.1:${from.port}`);
    await onServer(from, (call) => call('SET', KEY, 'kept'));
    const to = (await cluster.primaries()).find((node) => node !== from)!;
    await cluster.migrate([SLOT], to);
    const [replica] = await cluster.replicasOf(to);
    await cluster.failover(replica!);
    await cluster.whenOk();
    expect(await onServer(replica!, (call) => call('GET', KEY))).toBe('kept');
    await expect(onServer({ port: from.port }, (call) => call('PING'))).rejects.toThrow();
    await expect(onServer({ port: from.port, tls: { ...tls, ca: new URL(import.meta.url).pathname } }, (call) => call('PING'))).rejects.toThrow();
  });

  it.each([
    ['servers and Sentinels', true, true, 3],
    ['servers alone', true, false, 1],
    ['Sentinels alone', false, true, 1],
  ])('follow a primary by name: %s', async (_, areServers, areSentinels, sentinels) => {
    const tls = authority.server('DNS:localhost');
    const options = { ...(areServers ? { tls } : {}), ...(areSentinels ? { sentinelTls: tls } : {}) };
    const set = await LocalSentinels.start({ binary, sentinels, hostname: 'localhost', ...options });
    all = set;
    await set.failover();
    const [host, port] = (await onServer(set.sentinels[0]!.at, (call) => call('SENTINEL', 'GET-MASTER-ADDR-BY-NAME', set.primary))) as [string, string];
    expect([host, Number(port)]).toEqual(['localhost', (await set.whoIsPrimary()).port]);
    await set.whenOk();
  });
});
