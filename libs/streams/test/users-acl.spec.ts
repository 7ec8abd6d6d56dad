import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LocalCluster, type LocalServer, onServer, type Topology } from '@millrace/redis';
import { testBinary, waitFor } from '@millrace/testing';
import { type Process, startProcessAt, subscribe } from './fixture.js';
import { Numbered, numbers } from './topics.js';

const PASSWORD = 'of them all';
const COUNT = 60;

let folder: string;
let cluster: LocalCluster;
const open: Process<Topology>[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-users-'));
  const file = readFileSync(fileURLToPath(new URL('../../../docker/users.acl', import.meta.url)), 'utf8');
  const digest = createHash('sha256').update(PASSWORD).digest('hex');
  writeFileSync(join(folder, 'users.acl'), file.replaceAll(/#0{64}/g, `#${digest}`));
  cluster = await LocalCluster.start({ binary: await testBinary(), replicas: 0, extra: ['--aclfile', join(folder, 'users.acl')] });
});

afterAll(async () => {
  for (const process of open) await process.stop();
  await cluster.stop();
  rmSync(folder, { recursive: true });
});

async function processOf(username: string): Promise<Process<Topology>> {
  const nodes = cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port }));
  const process = await startProcessAt({ cluster: { nodes }, username, password: PASSWORD }, { prefix: 'millrace', leaseMs: 500 });
  open.push(process);
  return process;
}

describe('the users of docker/users.acl in a Redis Cluster', () => {
  it('publish, consume, take over, look, seek and remove, and no node denies anything but a look at its configuration', async () => {
    const [publisher, consumer, doomed] = [await processOf('publisher'), await processOf('consumer'), await processOf('consumer')];
    const handled = new Set<number>();
    const [target, held] = [{ topic: Numbered, group: 'all', concurrency: 4 }, new Set<number>()];
    await subscribe(doomed, target, ({ value }: Numbered) => new Promise(() => held.add(value)));
    await publisher.publisher.publishMany(Numbered, numbers(COUNT));
    await waitFor(() => held.size > 0, { what: 'messages to be held' });
    await subscribe(consumer, target, async ({ value }: Numbered) => handled.add(value));
    doomed.vanish();
    await waitFor(() => handled.size === COUNT, { what: 'all messages to be handled', timeoutMs: 30_000 });

    const { streams: { inspector } } = await processOf('monitor');
    await waitFor(async () => (await inspector.group(Numbered, 'all')).lag === 0, { what: 'nothing to be left' });
    expect((await inspector.group(Numbered, 'all')).redelivered).toBeGreaterThan(0);

    const { streams: { groups, topics } } = await processOf('admin');
    handled.clear();
    await groups.pause(Numbered, 'all');
    await groups.seek(Numbered, 'all', { to: 'earliest' });
    await groups.resume(Numbered, 'all');
    await waitFor(() => handled.size === COUNT, { what: 'all to be handled again' });
    await topics.remove(Numbered, { force: true });
    for (const node of cluster.nodes) expect(await deniedAt(node)).toEqual([]);
  }, 60_000);
});

/** Commands that the node has denied. A start looks at one setting where it may: the guide says so. */
async function deniedAt(node: LocalServer): Promise<unknown[]> {
  const log = (await onServer(node, (call) => call('ACL', 'LOG'))) as unknown[][];
  return log.map((entry) => entry[entry.indexOf('object') + 1]).filter((denied) => denied !== 'config|get');
}
