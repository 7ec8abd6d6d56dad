import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { addressIn, clusterClient, type ClusterOptions, freePort, LocalCluster, onServer, slotOf } from '@millrace/redis';
import { Authority, testBinary, uniqueName, waitFor } from '@millrace/testing';
import { Injectable } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { JobHandler, JobQueue, MillraceModule, Publisher, Subscribe } from '@millrace/nestjs';
import { Journal, OrderPlaced, SendConfirmation } from './fixture.js';

let authority: Authority;
let cluster: LocalCluster;
/** By node, the port for TLS. */
const ports: number[] = [];

/** Nodes whose certificates hold a name and no address, which they announce. */
beforeAll(async () => {
  authority = new Authority();
  const { cert, key } = authority.sign('node', 'DNS:localhost');
  const extra = [
    '--tls-cluster', 'yes', '--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', authority.ca, '--tls-auth-clients', 'no',
    '--cluster-preferred-endpoint-type', 'hostname',
  ];
  cluster = await LocalCluster.start({ binary: await testBinary(), replicas: 0, extra });
  for (const node of cluster.nodes) {
    const port = await freePort();
    ports.push(port);
    await onServer(node, (call) => call('CONFIG', 'SET', 'tls-port', port, 'cluster-announce-tls-port', port));
  }
});
afterAll(async () => {
  await cluster.stop();
  authority.remove();
});

/** Resolves when each node knows the name, and the port for TLS, of all. */
async function announce(hostname: string): Promise<void> {
  for (const node of cluster.nodes) await onServer(node, (call) => call('CONFIG', 'SET', 'cluster-announce-hostname', hostname));
  const isKnown = async (): Promise<boolean> => {
    const views = await Promise.all(cluster.nodes.map((node) => onServer(node, (call) => call('CLUSTER', 'SHARDS'))));
    const texts = views.map((view) => JSON.stringify(view));
    return texts.every((text) => text.split(`"hostname","${hostname}"`).length === ports.length + 1 && ports.every((port) => text.includes(`"tls-port",${port},`)));
  };
  await waitFor(isKnown, { what: 'each node to know the others', timeoutMs: 30_000 });
}

@Injectable()
class Handlers {
  readonly journal = new Journal();

  @Subscribe(OrderPlaced, { group: 'inventory' })
  reserve({ orderId }: OrderPlaced): void {
    this.journal.add(`message ${orderId}`);
  }

  @JobHandler(SendConfirmation)
  send({ orderId }: SendConfirmation): void {
    this.journal.add(`job ${orderId}`);
  }
}

describe('a Cluster whose certificates hold names alone', () => {
  it.each<[string, string, () => Pick<ClusterOptions, 'nodes' | 'natMap'>]>([
    ['announce them', 'localhost', () => ({ nodes: [`localhost:${ports[0]}`] })],
    ['announce others, which a map leads to them', 'inside.test', () => ({
      nodes: [`inside.test:${ports[0]}`],
      natMap: Object.fromEntries(ports.flatMap((port) => ['inside.test', 'localhost'].map((host) => [`${host}:${port}`, `localhost:${port}`]))),
    })],
  ])('serves topics and queues when its nodes %s', async (_, hostname, clusterOf) => {
    await announce(hostname);
    const redis = { cluster: clusterOf(), tls: { ca: authority.ca } };
    const imports = [MillraceModule.forRoot({ redis, prefix: uniqueName('tls') }), MillraceModule.forFeature([SendConfirmation])];
    const module = { module: class {}, imports, providers: [Handlers] };
    const app = await NestFactory.createApplicationContext(module, { logger: false, abortOnError: false });
    await app.get(Publisher).publish(OrderPlaced, { orderId: 'a', amount: 1 });
    await app.get(JobQueue).enqueue(SendConfirmation, { orderId: 'b' });
    expect((await app.get(Handlers).journal.has(2)).sort()).toEqual(['job b', 'message a']);
    await app.close();
  });

  it('is reached again by nodes that were not named, and by the map, when the one that was named is killed', async () => {
    await announce('inside.test');
    const nodes = [addressIn(`inside.test:${ports[0]}`)];
    const natMap = Object.fromEntries(ports.map((port) => [`inside.test:${port}`, addressIn(`localhost:${port}`)]));
    const client = clusterClient({ cluster: { nodes, natMap }, tls: { ca: readFileSync(authority.ca, 'utf8') } }, {});
    await client.connect();
    await cluster.nodes[0]!.kill();
    const ended = once(client, 'end');
    client.disconnect();
    await ended;
    await client.connect();
    const key = [...'abcdefgh'].find((name) => slotOf(name) >= 16_384 / 3)!;
    expect(await client.set(key, 'stored')).toBe('OK');
    client.disconnect();
  });
});
