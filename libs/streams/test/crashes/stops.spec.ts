import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { type DeliveryContext, topicOf } from '@millrace/core';
import { Bed } from '../bed.js';
import { type Process, subscribe } from '../fixture.js';
import { Numbered } from '../topics.js';
import { Worker } from './worker.js';

const LEASE_MS = 1_000;
const STOPS = 3;
const bed = new Bed('stops');
const workers: Worker[] = [];
let last: Process;

beforeEach(async () => {
  last = await bed.start({ leaseMs: LEASE_MS });
  await last.streams.declare(topicOf(Numbered));
});
afterEach(() => Promise.all(workers.splice(0).map((worker) => worker.kill())));

/** A worker whose handler of one message does not end by itself, and whose stop has begun. */
async function stopping(stopMs: number): Promise<Worker> {
  const limits = { leaseMs: LEASE_MS, concurrency: 1, crashLimit: STOPS };
  const worker = new Worker({ ...limits, url: bed.url, prefix: bed.prefix, group: 'g', handlers: 'endless', stopMs });
  workers.push(worker);
  await worker.saysOf(1, 'begun');
  await worker.stop();
  return worker;
}

/** @returns attempt and crashes of the message at a member that handles it */
async function handled(): Promise<string[]> {
  const seen: string[] = [];
  await subscribe(last, { topic: Numbered, group: 'g', crashLimit: STOPS }, async (_: Numbered, { attempt, crashes }: DeliveryContext) => {
    seen.push(`attempt ${attempt}, crashes ${crashes}`);
  });
  await bed.drained(last, Numbered, 'g', 10_000);
  return seen;
}

describe('a message whose handler does not end is stopped as often as crashes are allowed, and no process counts as crashed', () => {
  it('when the time to stop is up and the process exits', async () => {
    await last.publisher.publish(Numbered, { value: 1 });
    for (let stop = 0; stop < STOPS; stop += 1) await (await stopping(100)).ended;
    expect(await handled()).toEqual(['attempt 1, crashes 0']);
  });

  it('when the process is killed before its time to stop is up', async () => {
    await last.publisher.publish(Numbered, { value: 1 });
    for (let stop = 0; stop < STOPS; stop += 1) await (await stopping(60_000)).kill();
    expect(await handled()).toEqual(['attempt 1, crashes 0']);
  });
});
