import { afterAll, afterEach, beforeAll, describe, expect, it, jest } from '@jest/globals';
import { waitFor } from '@millrace/testing';
import { bullConnection } from '../src/index.js';
import { CountedWorker } from '../src/worker/counted-worker.js';
import { SendMail } from './contracts.js';
import { JobsFixture, Signal } from './jobs-fixture.js';

let fixture: JobsFixture;
let worker: CountedWorker;
beforeAll(async () => {
  fixture = await JobsFixture.start();
});
afterEach(async () => {
  jest.restoreAllMocks();
  await worker.close(true);
  await fixture.clear();
});
afterAll(() => fixture.stop());

describe('a counted worker', () => {
  it('is idle when BullMQ has handed over and settled every job, and not before', async () => {
    const [begun, release] = [new Signal(), new Signal()];
    const work = async (): Promise<void> => {
      begun.give();
      await release.promise;
    };
    worker = new CountedWorker('emails', work, { connection: bullConnection({ url: fixture.redis.url }, 'worker'), prefix: fixture.prefix });
    await worker.idle();
    await fixture.jobs.enqueue(SendMail, { to: 'a' });
    await begun.promise;
    let isIdle = false;
    const idle = worker.idle().then(() => (isIdle = true));
    expect(await fixture.jobs.counts('emails')).toMatchObject({ active: 1 });
    expect(isIdle).toBe(false);
    release.give();
    await idle;
    expect(await fixture.jobs.counts('emails')).toMatchObject({ active: 0, completed: 1 });
  });

  it('has its own pause alone after a check for stalled jobs that failed: one that nothing ends would keep a process alive', async () => {
    const queue = fixture.queue('emails');
    const client = (await queue.getBackend().client) as unknown as { set(key: string, value: string): Promise<unknown> };
    await client.set(queue.toKey('stalled'), 'no set');
    const pauses = jest.spyOn(globalThis, 'setTimeout');
    const failed = new Signal<Error>();
    const connection = bullConnection({ url: fixture.redis.url }, 'worker');
    worker = new CountedWorker('emails', () => Promise.resolve(), { connection, prefix: fixture.prefix, stalledInterval: 3_600_000 });
    worker.on('error', (error) => failed.give(error));
    expect((await failed.promise).message).toContain('WRONGTYPE');
    const lengths = (): unknown[] => pauses.mock.calls.map(([, ms]) => ms);
    await waitFor(() => lengths().includes(3_600_000), { what: 'its own pause' });
    expect(lengths()).not.toContain(5_000);
  });
});
