import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@millrace/testing';
import { SendMail } from './contracts.js';
import { handler, Heard, JobsFixture } from './jobs-fixture.js';

let fixture: JobsFixture;
beforeAll(async () => {
  fixture = await JobsFixture.start();
});
afterEach(() => fixture.clear());
afterAll(() => fixture.stop());

describe('observers of jobs are told', () => {
  it('about each enqueue by its outcome, and about each attempt', async () => {
    const [enqueued, handled] = [new Heard('enqueued'), new Heard('job-handled')];
    const { jobs } = fixture;
    await fixture.worker([handler(SendMail, ({ to }, { attempt }) => {
      if (to === 'b' && attempt === 1) throw new TypeError('as planned');
    })]);
    await jobs.enqueue(SendMail, { to: 'a' }, { idempotencyKey: 'k' });
    await jobs.enqueue(SendMail, { to: 'a' }, { idempotencyKey: 'k' });
    await jobs.enqueue(SendMail, { to: 'other' }, { idempotencyKey: 'k' }).catch(() => undefined);
    await jobs.enqueue(SendMail, { to: 1 } as never).catch(() => undefined);
    await jobs.enqueueMany(SendMail, [{ payload: { to: 'b' } }, { payload: { to: 'c' } }]);
    await jobs.enqueueMany(SendMail, [{ payload: { to: 'd' } }, { payload: {} as never }]).catch(() => undefined);
    await waitFor(() => handled.events.length === 4, { what: 'all attempts to end' });
    enqueued.stop();
    handled.stop();
    const told = enqueued.events.map(({ queue, job, outcome, count }) => [queue, job, outcome, count]);
    const named = ['emails', 'send-mail'];
    expect(told).toEqual([
      [...named, 'ok', 1], [...named, 'duplicate', 1], [...named, 'error', 1], [...named, 'invalid', 1], [...named, 'ok', 2], [...named, 'invalid', 2],
    ]);
    for (const { outcome, durationMs } of enqueued.events) expect(durationMs > 0).toBe(outcome !== 'invalid');
    const attempts = handled.events.map(({ attempt, outcome, errorType }) => [attempt, outcome, errorType].join()).sort();
    expect(attempts).toEqual(['1,ack,', '1,ack,', '1,retry,TypeError', '2,ack,']);
    for (const { durationMs, ageMs } of handled.events) expect([durationMs > 0, ageMs >= 0]).toEqual([true, true]);
  });
});
