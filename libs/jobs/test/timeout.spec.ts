import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { waitFor } from '@millrace/testing';
import type { JobContext } from '../src/index.js';
import { SendInvoice, SendMail } from './contracts.js';
import { handler, Heard, JobsFixture, Signal } from './jobs-fixture.js';

let fixture: JobsFixture;
beforeAll(async () => {
  fixture = await JobsFixture.start();
});
afterEach(() => fixture.clear());
afterAll(() => fixture.stop());

const never = new Promise<never>(() => undefined);

describe('a job handler that takes too long', () => {
  it('gives its slot free, is tried again, and what it does later counts for nothing', async () => {
    const [first, late] = [new Signal<JobContext>(), new Signal()];
    const handle = async (_: SendMail, context: JobContext): Promise<string> => {
      if (context.attempt > 1) return `attempt ${context.attempt}`;
      first.give(context);
      await late.promise;
      throw new Error('too late');
    };
    const worker = await fixture.worker([handler(SendMail, handle, { timeoutMs: 40 })], { concurrency: 1 });
    const { id } = await fixture.jobs.enqueue(SendMail, { to: 'a' });
    const { signal } = await first.promise;
    const job = await fixture.finished('emails', id);
    expect(signal.reason).toMatchObject({ code: 'TIMEOUT' });
    expect([await job.getState(), job.attemptsMade, job.returnvalue]).toEqual(['completed', 2, 'attempt 2']);
    expect(worker.stuck()).toEqual([{ name: 'send-mail', id, since: expect.any(Date) }]);
    expect(worker.problem()).toBeNull();
    late.give();
    await waitFor(() => worker.stuck().length === 0, { what: 'the handler to end' });
    expect((await fixture.stored('emails', id)).attemptsMade).toBe(2);
  });

  it('is given up with TIMEOUT when it always does', async () => {
    const failures = new Heard('attempt-failed');
    await fixture.worker([handler(SendMail, () => never, { timeoutMs: 5, attempts: 2 })]);
    const { id } = await fixture.jobs.enqueue(SendMail, { to: 'a' });
    expect(await (await fixture.finished('emails', id)).getState()).toBe('failed');
    failures.stop();
    expect(failures.events).toMatchObject([
      { attempt: 1, outcome: 'retry', error: { code: 'TIMEOUT' } },
      { attempt: 2, outcome: 'dead-letter', error: { code: 'TIMEOUT' } },
    ]);
  });
});

describe('a job handler that never ends', () => {
  it('is named once it has been at work for too long; it is a problem when none gets on', async () => {
    const begun = new Signal<JobContext>();
    const hang = (_: SendMail, context: JobContext): Promise<never> => {
      begun.give(context);
      return never;
    };
    const release = new Signal();
    const handlers = [handler(SendMail, hang), handler(SendInvoice, () => release.promise)];
    const worker = await fixture.worker(handlers, { concurrency: 2, stuckAfterMs: 30 });
    const { id } = await fixture.jobs.enqueue(SendMail, { to: 'a' });
    await begun.promise;
    await waitFor(() => worker.stuck().length === 1, { what: 'the job to be named' });
    expect(worker.stuck()).toEqual([{ name: 'send-mail', id, since: expect.any(Date) }]);
    expect(worker.problem()).toBeNull();
    await fixture.jobs.enqueue(SendInvoice, { to: 'b' });
    await waitFor(() => worker.problem() !== null, { what: 'the problem' });
    expect(worker.problem()).toMatch(new RegExp(`^all 2 handlers .* that of job 'send-mail' \\(${id}\\) since 20.*: give them a timeout$`));
    release.give();
    await waitFor(() => worker.problem() === null, { what: 'the worker to be well' });
  });
});

describe('the return value of a job', () => {
  const circle: { self?: unknown } = {};
  circle.self = circle;

  it.each([
    [{ sent: 1, at: new Date(0) }, { sent: 1, at: '1970-01-01T00:00:00.000Z' }],
    ['text', 'text'],
    [0, 0],
    [undefined, null],
    [() => 1, null],
  ])('is that of its handler, as JSON: %p', async (returned, stored) => {
    await fixture.worker([handler(SendMail, () => returned)]);
    const { id } = await fixture.jobs.enqueue(SendMail, { to: 'a' });
    expect((await fixture.finished('emails', id)).returnvalue).toEqual(stored);
  });

  it.each([
    ['a circle', circle, 'UNSERIALIZABLE_PAYLOAD'],
    ['a BigInt', 1n, 'UNSERIALIZABLE_PAYLOAD'],
    ['more than 64 KiB', 'x'.repeat(65_536), 'PAYLOAD_TOO_LARGE'],
  ])('is empty, and that is told, when it cannot be stored: %s', async (_, returned, code) => {
    const dropped = new Heard('result-dropped');
    await fixture.worker([handler(SendMail, () => returned)]);
    const { id } = await fixture.jobs.enqueue(SendMail, { to: 'a' });
    const job = await fixture.finished('emails', id);
    expect([await job.getState(), job.attemptsMade, job.returnvalue]).toEqual(['completed', 1, null]);
    expect(await dropped.first).toMatchObject({ queue: 'emails', messageId: id, error: { code } });
    dropped.stop();
  });
});
