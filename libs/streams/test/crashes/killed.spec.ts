import { afterEach, beforeEach, expect, it } from '@jest/globals';
import { type DeliveryContext, topicOf } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { Bed } from '../bed.js';
import { type Process, signal, subscribe } from '../fixture.js';
import { numbers, Numbered } from '../topics.js';
import { Worker } from './worker.js';

const LEASE_MS = 1_000;
const HELD = 50;
const bed = new Bed('killed');
let other: Process;
let worker: Worker;

beforeEach(async () => {
  other = await bed.start({ leaseMs: LEASE_MS });
  await other.streams.declare(topicOf(Numbered));
  const limits = { leaseMs: LEASE_MS, concurrency: 64, crashLimit: 10, stopMs: 5_000 };
  worker = new Worker({ ...limits, url: bed.url, prefix: bed.prefix, group: 'g', handlers: 'endless' });
  await other.publisher.publishMany(Numbered, numbers(HELD));
  await worker.saysOf(HELD, 'begun');
});
afterEach(() => worker.kill());

/** Another member, whose handlers wait for this. @returns its deliveries: value -> the crashes of each */
async function join(until?: Promise<void>): Promise<Map<number, number[]>> {
  const seen = new Map<number, number[]>();
  await subscribe(other, { topic: Numbered, group: 'g', concurrency: 64 }, async ({ value }: Numbered, { crashes }: DeliveryContext) => {
    seen.set(value, [...(seen.get(value) ?? []), crashes]);
    await until;
  });
  return seen;
}

/** How many messages each member holds, by its name. */
async function heldBy(): Promise<Map<string, number>> {
  const consumers = (await bed.command('XINFO', 'CONSUMERS', bed.place(Numbered, 'g').keys.log, 'g')) as unknown[][];
  return new Map(consumers.map(([, name, , pending]) => [String(name), Number(pending)]));
}

const eachOnceAfterOneCrash = new Map(numbers(HELD).map(({ payload }) => [payload.value, [1]]));

it('a worker that held many messages is killed: others handle each of them once, after one crash', async () => {
  const seen = await join();
  await worker.kill();
  await bed.drained(other, Numbered, 'g', 15_000);
  expect(seen).toEqual(eachOnceAfterOneCrash);
  expect(await bed.state(other, Numbered, 'g')).toMatchObject({ handled: HELD, deadLettered: 0, retried: 0 });
});

it('a worker is frozen for more than its lease and goes on: its late outcomes are refused, and each message ends once', async () => {
  const holders = await heldBy();
  const holder = [...holders.keys()].find((name) => holders.get(name) === HELD)!;
  worker.signal('SIGSTOP');
  const refused = signal();
  const seen = await join(refused.promise);
  const isTakenOver = async (): Promise<boolean> => seen.size > 0 && ((await heldBy()).get(holder) ?? 0) === 0;
  await waitFor(isTakenOver, { what: 'others to have what it held', timeoutMs: 30_000 });
  worker.signal('SIGCONT');
  worker.signal('SIGUSR2');
  await worker.saysOf(HELD, 'failed');
  worker.signal('SIGTERM');
  await worker.ended;
  refused.fire();
  await bed.drained(other, Numbered, 'g', 15_000);
  expect(seen).toEqual(eachOnceAfterOneCrash);
  expect(await bed.state(other, Numbered, 'g')).toMatchObject({ handled: HELD, deadLettered: 0, retried: 0 });
});
