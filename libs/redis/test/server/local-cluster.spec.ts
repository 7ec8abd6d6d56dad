import { existsSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { isPortFree, LocalCluster, type LocalServer, onServer, serverBinaries, slotOf } from '@millrace/redis';
import { expectNoChildren, waitFor } from '@millrace/testing';

let binary: string;
let cluster: LocalCluster;

beforeAll(async () => void ([binary] = (await serverBinaries()) as [string]));
beforeEach(async () => void (cluster = await LocalCluster.start({ binary })));
afterEach(() => cluster.stop());
afterAll(() => expectNoChildren());

const KEY = '{a}:1';
const SLOT = slotOf(KEY);

async function other(than: LocalServer): Promise<LocalServer> {
  return (await cluster.primaries()).find((node) => node !== than)!;
}

/** The role of one node, as another one (or itself) knows it. */
async function roleBy(node: LocalServer, of: LocalServer): Promise<string> {
  const lines = String(await onServer(node, (call) => call('CLUSTER', 'NODES'))).split('\n');
  const flags = lines.find((line) => line.includes(`:${of.port}@`))?.split(' ')[2] ?? 'unknown';
  return flags.replace('myself,', '');
}

describe('a local cluster', () => {
  it('has three primaries with a replica each, of which one takes the place of a primary that is killed', async () => {
    expect(await cluster.primaries()).toHaveLength(3);
    const primary = await cluster.primaryOf(SLOT);
    const [replica] = await cluster.replicasOf(primary);
    // Over one connection: WAIT waits for the writes of its own.
    const copies = await onServer(primary, async (call) => [await call('SET', KEY, 'kept'), await call('WAIT', 1, 5_000)]);
    expect(copies).toEqual(['OK', 1]);
    await primary.kill();
    for (const port of [primary.port, primary.busPort!]) expect(await isPortFree(port)).toBe(false);
    await waitFor(async () => (await cluster.primaryOf(SLOT)) === replica, { what: 'the replica to be promoted', timeoutMs: 20_000 });
    expect(await onServer(replica!, (call) => call('GET', KEY))).toBe('kept');
    await primary.restart();
    await cluster.whenOk();
    expect(await cluster.replicasOf(replica!)).toEqual([primary]);
    expect(new Set(await Promise.all(cluster.nodes.map((node) => roleBy(node, primary))))).toEqual(new Set(['slave']));
  });

  it('leaves no process and no folder, and lets go of all ports', async () => {
    await cluster.nodes[0]!.kill();
    cluster.nodes[1]!.freeze();
    await cluster.stop();
    await expectNoChildren();
    expect(cluster.nodes.filter(({ folder }) => existsSync(folder))).toEqual([]);
    const ports = cluster.nodes.flatMap(({ port, busPort }) => [port, busPort!]);
    expect(await Promise.all(ports.map(isPortFree))).toEqual(ports.map(() => true));
  });

  it('changes primaries when it is told to, and when one stands still', async () => {
    const primary = await cluster.primaryOf(SLOT);
    const [replica] = await cluster.replicasOf(primary);
    await cluster.failover(replica!);
    await cluster.whenOk();
    expect(await cluster.primaryOf(SLOT)).toBe(replica);
    replica!.freeze();
    await waitFor(async () => (await cluster.primaryOf(SLOT)) === primary, { what: 'the other to be promoted', timeoutMs: 20_000 });
    replica!.thaw();
    await cluster.whenOk();
  });

  it('moves slots with their keys, and asks while one is between two nodes', async () => {
    const from = await cluster.primaryOf(SLOT);
    const to = await other(from);
    for (const key of [KEY, '{a}:2']) await onServer(from, (call) => call('SET', key, 'kept'));
    await cluster.beginMigration(SLOT, to);
    await cluster.moveKeys(SLOT, to, 1);
    await expect(onServer(from, (call) => call('MGET', KEY, '{a}:2'))).rejects.toThrow('TRYAGAIN');
    await expect(onServer(from, (call) => call('GET', '{a}:new'))).rejects.toThrow('ASK');
    await cluster.moveKeys(SLOT, to);
    await cluster.finishMigration(SLOT, to);
    expect(await onServer(to, (call) => call('MGET', KEY, '{a}:2'))).toEqual(['kept', 'kept']);
    await expect(onServer(from, (call) => call('GET', KEY))).rejects.toThrow('MOVED');
    await cluster.migrate([SLOT], from);
    expect(await onServer(from, (call) => call('MGET', KEY, '{a}:2'))).toEqual(['kept', 'kept']);
  });
});
