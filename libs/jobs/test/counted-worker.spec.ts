import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
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
});
