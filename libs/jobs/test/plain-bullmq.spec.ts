import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Queue, Worker } from 'bullmq';
import { bullConnection } from '../src/index.js';
import { SendMail } from './contracts.js';
import { handler, JobsFixture, Signal } from './jobs-fixture.js';

let fixture: JobsFixture;
beforeAll(async () => {
  fixture = await JobsFixture.start();
});
afterEach(() => fixture.clear());
afterAll(() => fixture.stop());

const plain = () => ({ connection: bullConnection({ url: fixture.redis.url }, 'worker'), prefix: fixture.prefix });

describe('code that uses BullMQ itself, with the same prefix', () => {
  it('has queues of its own beside ours', async () => {
    const [ours, theirs] = [new Signal<string>(), new Signal<unknown>()];
    await fixture.worker([handler(SendMail, ({ to }) => ours.give(to))]);
    const worker = new Worker('reports', async ({ data }) => theirs.give(data), plain());
    const queue = new Queue('reports', plain());
    await queue.add('monthly', { month: 11 });
    await fixture.jobs.enqueue(SendMail, { to: 'a' });
    expect(await Promise.all([ours.promise, theirs.promise])).toEqual(['a', { month: 11 }]);
    await Promise.all([worker.close(), queue.close()]);
  });

  it('enqueues jobs that our handlers get', async () => {
    const seen = new Signal<unknown[]>();
    await fixture.worker([handler(SendMail, ({ to }, { idempotencyKey, attempt }) => seen.give([to, idempotencyKey, attempt]))]);
    const queue = new Queue('emails', plain());
    await queue.add('send-mail', { to: 'plain' });
    expect(await seen.promise).toEqual(['plain', null, 1]);
    await queue.close();
  });

  it('works on jobs that we enqueue, retries included', async () => {
    const { id } = await fixture.jobs.enqueue(SendMail, { to: 'a' }, { idempotencyKey: 'plain' });
    const seen: unknown[] = [];
    const worker = new Worker('emails', (job) => {
      seen.push([job.name, job.data]);
      return seen.length < 3 ? Promise.reject(new Error('no')) : Promise.resolve('done');
    }, plain());
    const job = await fixture.finished('emails', id);
    expect([await job.getState(), job.returnvalue]).toEqual(['completed', 'done']);
    expect(seen).toEqual(Array.from({ length: 3 }, () => ['send-mail', { to: 'a' }]));
    await worker.close();
  });

  it('lets our queue stand beside its own idempotency', async () => {
    const queue = new Queue('emails', plain());
    const own = await queue.add('send-mail', { to: 'a' }, { jobId: 'k', delay: 1_000_000 });
    const { id, duplicate } = await fixture.jobs.enqueue(SendMail, { to: 'b' }, { idempotencyKey: 'k', delay: '1h' });
    expect([own.id, duplicate, id === own.id]).toEqual(['k', false, false]);
    await queue.close();
  });
});
