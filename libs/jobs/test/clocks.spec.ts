import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { TypeScriptChild, waitFor } from '@millrace/testing';
import { SendMail } from './contracts.js';
import { JobsFixture } from './jobs-fixture.js';

const HOUR_MS = 3_600_000;
/** A due time may be late by a round trip to Redis, which takes long on a busy machine. */
const ROUND_TRIP_MS = 5_000;
const SHIFTS = [['an hour ahead', HOUR_MS], ['an hour behind', -HOUR_MS]] as const;

let fixture: JobsFixture;
let children: TypeScriptChild[] = [];

beforeAll(async () => void (fixture = await JobsFixture.start()));
afterEach(async () => {
  await Promise.all(children.splice(0).map((child) => child.kill()));
  await fixture.clear();
});
afterAll(() => fixture.stop());

function start(role: 'queue' | 'worker', shiftMs: number): TypeScriptChild {
  const file = new URL('./fixtures/shifted-process.ts', import.meta.url);
  const child = new TypeScriptChild(file, { args: [fixture.redis.url, 'jobs-test', role, String(shiftMs)] });
  children = [...children, child];
  return child;
}

interface Client {
  time(): Promise<[string, string]>;
  zscore(key: string, member: string): Promise<string | null>;
}

const client = async (): Promise<Client> => (await fixture.queue('emails').getBackend().client) as unknown as Client;

async function redisTime(): Promise<number> {
  const [seconds, micros] = await (await client()).time();
  return Math.floor(Number(seconds) * 1_000 + Number(micros) / 1_000);
}

/** When a delayed job is due, by Redis's clock: BullMQ puts 12 bits of order behind it. */
async function dueAt(id: string): Promise<number | null> {
  const score = await (await client()).zscore(fixture.queue('emails').toKey('delayed'), id);
  return score === null ? null : Math.floor(Number(score) / 0x1000);
}

describe('delays go by the clock of Redis', () => {
  it.each(SHIFTS)('when the clock of the producer is %s', async (_, shiftMs) => {
    const before = await redisTime();
    const ids = (await start('queue', shiftMs).line()).split(' ');
    const after = await redisTime();
    expect(ids).toHaveLength(3);
    for (const id of ids) {
      const due = (await dueAt(id))!;
      expect(due).toBeGreaterThanOrEqual(before + HOUR_MS);
      expect(due).toBeLessThanOrEqual(after + HOUR_MS + ROUND_TRIP_MS);
    }
  });

  it.each(SHIFTS)('when the clock of the worker is %s', async (_, shiftMs) => {
    await fixture.jobs.enqueue(SendMail, { to: 'later' }, { delay: '30m' });
    const { id } = await fixture.jobs.enqueue(SendMail, { to: 'soon' }, { delay: '100ms' });
    const due = (await dueAt(id))!;
    const worker = start('worker', shiftMs);
    expect(await worker.line()).toBe('running');
    expect(await worker.line()).toBe('soon 1');
    expect(await redisTime()).toBeGreaterThanOrEqual(due);
    // Jobs that come while it waits for a later one, too.
    await fixture.jobs.enqueue(SendMail, { to: 'sooner' }, { delay: '100ms' });
    expect(await worker.line()).toBe('sooner 1');
    expect(await fixture.jobs.counts('emails')).toMatchObject({ delayed: 1, waiting: 0 });
  });

  it.each(SHIFTS)('between two attempts, when the clock of the worker is %s', async (_, shiftMs) => {
    const worker = start('worker', shiftMs);
    expect(await worker.line()).toBe('running');
    const before = await redisTime();
    const { id } = await fixture.jobs.enqueue(SendMail, { to: 'fails' });
    expect(await worker.line()).toBe('fails 1');
    const due = await waitFor(() => dueAt(id), { what: 'the second attempt to be scheduled' });
    expect(due).toBeGreaterThanOrEqual(before + HOUR_MS);
    expect(due).toBeLessThanOrEqual((await redisTime()) + HOUR_MS + ROUND_TRIP_MS);
  });
});
