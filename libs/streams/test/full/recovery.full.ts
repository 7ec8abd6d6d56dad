import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, describe, expect, it } from '@jest/globals';
import { listen, topicOf } from '@millrace/core';
import { BLOCK_MS } from '@millrace/redis';
import { waitFor } from '@millrace/testing';
import { Bed } from '../bed.js';
import { type Process, startProcess, subscribe } from '../fixture.js';
import { Numbered } from '../topics.js';
import { FadingNetwork } from './fading-network.js';
import { Skewed } from '../chaos/skewed.js';
import { Records } from '../chaos/records.js';
import { WorkerProcess } from '../chaos/worker-process.js';

/** I10. A busy machine is given more time; the printed times are those that were measured. */
const FACTOR = Number(process.env['MILLRACE_RECOVERY_FACTOR'] ?? 1);
const LEASE_MS = 2_000;
const HEALED_MS = 3_000;
const bed = new Bed('recovery', { appendonly: 'always' });
/** Loads its data slowly, and answers meanwhile, so that a client meets it loading. */
const slow = new Bed('loading', {
  appendonly: 'always',
  extra: ['--key-load-delay', '10000', '--loading-process-events-interval-bytes', '1024'],
});
const stops: (() => unknown)[] = [];
afterEach(() => Promise.all(stops.splice(0).map((stop) => stop())));

function report(fault: string, ms: number, boundMs: number): void {
  console.log(`recovery=${fault} ms=${Math.max(0, Math.round(ms))} bound_ms=${boundMs}`);
  expect(ms).toBeLessThanOrEqual(boundMs * FACTOR);
}

/** Publishes a message until that succeeds. Resolves with the moment at which it was handled. */
async function handledAt(publisher: Process, moments: Map<number, number>, value: number): Promise<number> {
  const publish = (): Promise<unknown> => publisher.publisher.publish(Numbered, { value }, { idempotencyKey: `k${value}` });
  await waitFor(async () => publish(), { what: 'the message to be published', timeoutMs: 30_000 });
  await waitFor(() => moments.has(value), { what: 'the message to be handled', timeoutMs: 30_000 });
  return moments.get(value)!;
}

async function handler(where: Bed): Promise<{ process: Process; moments: Map<number, number> }> {
  const [process, moments] = [await where.start({ leaseMs: LEASE_MS }), new Map<number, number>()];
  await subscribe(process, { topic: Numbered, group: 'g' }, async ({ value }: Numbered) => void moments.set(value, performance.now()));
  await handledAt(process, moments, 0);
  return { process, moments };
}

/** Resolves when a loop has met the fault, and has to recover. */
function noticed(says: RegExp): Promise<void> {
  return new Promise((resolve) => stops.push(listen('loop-failed', ({ error }) => says.test(error.message) && resolve())));
}

interface Fault {
  readonly name: string;
  readonly begin: () => unknown;
  readonly end: () => unknown;
  /** The error that loops get while the fault lasts; none where they may not notice it. */
  readonly says?: RegExp;
}

async function measure(where: Bed, { name, begin, end, says }: Fault): Promise<void> {
  const { process, moments } = await handler(where);
  const failed = says ? noticed(says) : null;
  await begin();
  const handled = handledAt(process, moments, 1);
  await failed;
  await end();
  const healedAt = performance.now();
  report(name, (await handled) - healedAt, HEALED_MS);
}

const set = (name: string, value: string | number): Promise<unknown> => bed.command('CONFIG', 'SET', name, value);
/** Spares the connection of this command. */
const cutOff = (): Promise<unknown> => bed.command('CLIENT', 'KILL', 'TYPE', 'normal');
const refused = async (): Promise<unknown> => {
  const publisher = await bed.start();
  return expect(publisher.publisher.publish(Numbered, { value: 2 })).rejects.toMatchObject({ code: 'BACK_PRESSURE' });
};
const snapshot = (): string => join(bed.server.folder, 'dump.rdb');
const saved = (how: string): Promise<unknown> =>
  waitFor(
    async () => {
      await bed.command('BGSAVE').catch(() => undefined);
      return String(await bed.command('INFO', 'persistence')).includes(`rdb_last_bgsave_status:${how}`);
    },
    { what: `a snapshot that is ${how}` },
  );

describe('I10 from the end of a fault to the first message that is handled', () => {
  it.each<Fault>([
    { name: 'redis-kill', begin: () => bed.server.kill(), end: () => bed.server.restart(), says: /connection/ },
    { name: 'redis-sigstop', begin: () => bed.server.pause(), end: () => bed.server.resume(), says: /too slow|timed out/ },
    { name: 'script-flush', begin: () => bed.command('SCRIPT', 'FLUSH'), end: () => undefined },
    { name: 'client-kill', begin: cutOff, end: () => undefined },
    { name: 'password', begin: () => set('requirepass', 'x').then(cutOff), end: () => set('requirepass', ''), says: /NOAUTH/ },
    { name: 'oom', begin: () => set('maxmemory', 1).then(refused), end: () => set('maxmemory', 0) },
    {
      name: 'readonly',
      begin: () => bed.command('REPLICAOF', '127.0.0.1', 1),
      end: () => bed.command('REPLICAOF', 'NO', 'ONE'),
      says: /READONLY/,
    },
    {
      name: 'noreplicas',
      begin: () => set('min-replicas-to-write', 1),
      end: () => set('min-replicas-to-write', 0),
      says: /NOREPLICAS/,
    },
    {
      name: 'misconf',
      says: /MISCONF/,
      begin: async () => {
        await mkdir(snapshot());
        await set('save', '3600 1');
        await saved('err');
      },
      end: async () => {
        await rm(snapshot(), { recursive: true });
        await saved('ok');
        await set('save', '');
      },
    },
  ])('$name', (fault) => measure(bed, fault));

  it('loading', async () => {
    await slow.command('SET', 'filler', 0);
    for (let count = 0; count < 200; count += 1) await slow.command('INCR', 'filler');
    await measure(slow, { name: 'loading', begin: () => slow.server.kill(), end: () => slow.server.restart(), says: /connection/ });
  });

  it('kill -9 of a worker: its messages are handled by another', async () => {
    const records = new Records();
    const plan = { mode: 'shared' as const, topology: 'standalone' as const, target: { url: bed.server.url }, prefix: bed.prefix, group: 'g', leaseMs: LEASE_MS, concurrency: 1, slowestMs: 10 ** 9 };
    const publisher = await bed.start();
    await publisher.streams.declare(topicOf(Skewed));
    const worker = await WorkerProcess.start(plan, records);
    // 7 ms a number: all of them would take a good hour.
    const handled = publisher.publisher.publish(Skewed, { value: 600_000 });
    await records.progress.reached(1);
    await handled;
    const moments = new Map<number, number>();
    const other = await bed.start({ leaseMs: LEASE_MS });
    await subscribe(other, { topic: Skewed, group: 'g' }, async ({ value }: Skewed) => void moments.set(value, performance.now()));
    await worker.kill();
    const killedAt = performance.now();
    await waitFor(() => moments.has(600_000), { what: 'the other to handle it', timeoutMs: 30_000 });
    report('worker-kill', moments.get(600_000)! - killedAt, LEASE_MS + 2_000);
  });

  it('a network that drops connections silently', async () => {
    const network = await FadingNetwork.start(bed.server);
    const moments = new Map<number, number>();
    const worker = await startProcess(network.url, { prefix: bed.prefix, leaseMs: LEASE_MS });
    stops.push(() => worker.stop(100).then(() => network.stop()));
    await subscribe(worker, { topic: Numbered, group: 'g' }, async ({ value }: Numbered) => void moments.set(value, performance.now()));
    const publisher = await bed.start();
    await handledAt(publisher, moments, 0);
    network.forget();
    const forgottenAt = performance.now();
    report('silent-drop', (await handledAt(publisher, moments, 1)) - forgottenAt, BLOCK_MS + 5_000);
  });
});
