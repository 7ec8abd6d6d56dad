import { copyFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { listen } from '@millrace/core';
import { type ClusterTarget, LocalCluster, type LocalServer, nodeNameOf, onServer, type RedisConnection, slotOf } from '@millrace/redis';
import { Authority, testBinary, waitFor } from '@millrace/testing';
import { closeAll, connect } from './connecting.js';

const HOST = '127.0.0.1';
/** Nodes are asked in turn, so that each is asked some times. */
const LOOKS = 3;

let authority: Authority;
let stranger: Authority;
/** The authorities that nodes trust when they start. */
let trusted: string;
let cluster: LocalCluster;

beforeAll(async () => {
  [authority, stranger] = [new Authority(), new Authority()];
  trusted = join(authority.folder, 'trusted.crt');
  await copyFile(authority.ca, trusted);
  const tls = authority.server(`IP:${HOST}`);
  cluster = await LocalCluster.start({ binary: await testBinary(), tls, extra: ['--tls-ca-cert-file', trusted] });
});
afterEach(closeAll);
afterAll(async () => {
  await cluster.stop();
  for (const each of [authority, stranger]) each.remove();
});

/** Starts a node that trusts no other one, and is trusted by none: it serves clients, and goes by all that it knew before. */
async function startCutOff(node: LocalServer): Promise<void> {
  await copyFile(stranger.ca, trusted);
  await node.restart();
  await copyFile(authority.ca, trusted);
  const others = async (): Promise<string[]> =>
    String(await onServer(node, (call) => call('CLUSTER', 'NODES'))).trim().split('\n').filter((line) => / master/.test(line));
  await waitFor(async () => (await others()).every((line) => line.includes('fail?')), { what: 'the node to miss the others', timeoutMs: 30_000 });
}

/** A node takes part again. */
async function startAgain(node: LocalServer): Promise<void> {
  await node.restart();
  await cluster.whenOk();
}

function targetAt(nodes: readonly LocalServer[]): ClusterTarget {
  return { cluster: { nodes: nodes.map(({ port }) => ({ host: HOST, port })) }, tls: authority.trust() };
}

/** A key that a node has. */
async function keyOn(node: LocalServer): Promise<string> {
  for (let tag = 0; ; tag += 1) if ((await cluster.primaryOf(slotOf(`spec:{${tag}}`))) === node) return `spec:{${tag}}`;
}

async function portOf(connection: RedisConnection): Promise<number> {
  return Number(/tcp_port:(\d+)/.exec(String(await connection.call('INFO', 'server')))?.[1]);
}

/** The node that has the slot of a key, by the words of another node. */
async function ownerBy(node: LocalServer, key: string): Promise<string> {
  type Range = [first: number, last: number, primary: [host: string, port: number]];
  const ranges = (await onServer(node, (call) => call('CLUSTER', 'SLOTS'))) as Range[];
  const [, , [host, port]] = ranges.find(([first, last]) => first <= slotOf(key) && slotOf(key) <= last)!;
  return nodeNameOf({ host, port });
}

async function looksAt(node: LocalServer): Promise<number> {
  const stats = String(await onServer(node, (call) => call('INFO', 'commandstats')));
  return Number(/cmdstat_cluster\|slots:calls=(\d+)/.exec(stats)?.[1] ?? 0);
}

describe('a node that is cut off from the other nodes, and not from clients', () => {
  it('is outvoted by them, while it has slots, about slots of theirs that went to a replica', async () => {
    const [alone, left, other] = (await cluster.primaries()) as [LocalServer, LocalServer, LocalServer];
    const [successor, itsOwn] = [(await cluster.replicasOf(left))[0]!, (await cluster.replicasOf(alone))[0]!];
    const key = await keyOn(left);
    const topology = await connect(targetAt(cluster.nodes));
    const connection = topology.publishFor(key);
    await onServer(itsOwn, (call) => call('CONFIG', 'SET', 'cluster-replica-no-failover', 'yes'));
    await startCutOff(alone);
    await onServer(successor, (call) => call('CLUSTER', 'FAILOVER', 'TAKEOVER'));
    const name = nodeNameOf({ host: HOST, port: successor.port });
    for (const node of [other, left]) await waitFor(async () => (await ownerBy(node, key)) === name, { what: 'the others to know of it' });
    await waitFor(async () => (await portOf(connection)) === successor.port, { what: 'the client to know of it' });
    const losses: string[] = [];
    connection.watch({ ready: () => undefined, lost: () => void losses.push('lost'), message: () => undefined });
    const before = await looksAt(alone);
    await waitFor(async () => (await looksAt(alone)) >= before + LOOKS, { what: 'the client to ask the node', timeoutMs: 30_000 });
    expect(await ownerBy(alone, key)).toBe(nodeNameOf({ host: HOST, port: left.port }));
    expect(losses).toEqual([]);
    expect(await portOf(connection)).toBe(successor.port);
    await onServer(itsOwn, (call) => call('CONFIG', 'SET', 'cluster-replica-no-failover', 'no'));
    await startAgain(alone);
  });

  it('is outvoted by them when its own slots went to its replica, also where a start knows its address alone', async () => {
    const [alone] = (await cluster.primaries()) as [LocalServer];
    const [successor] = (await cluster.replicasOf(alone)) as [LocalServer];
    const key = await keyOn(alone);
    const before = await connect(targetAt(cluster.nodes));
    await alone.kill();
    await waitFor(async () => (await cluster.primaryOf(slotOf(key))) === successor, { what: 'the replica to take over', timeoutMs: 30_000 });
    await startCutOff(alone);
    expect(await ownerBy(alone, key)).toBe(nodeNameOf({ host: HOST, port: alone.port }));
    const believed: string[] = [];
    const stopListening = listen('slots-gone', ({ node }) => void believed.push(node));
    const since = await connect(targetAt([alone]));
    stopListening();
    // It was outvoted before anything was believed.
    expect(believed).toEqual([]);
    expect(await portOf(since.publishFor(key))).toBe(successor.port);
    for (const topology of [before, since]) {
      const connection = topology.publishFor(key);
      await waitFor(async () => (await portOf(connection)) === successor.port, { what: 'the client to know of the successor' });
      expect(await connection.call('SET', key, 'x')).toBe('OK');
    }
    await startAgain(alone);
  });
});
