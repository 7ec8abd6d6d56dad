import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { DeadLetter, Discard, exponential, fixed, type InboxPort, RetryLater, type SqlTransaction } from '@millrace/core';
import { JOB_RETENTION, type JobContext, startJobWorker } from '../src/index.js';
import { SendInvoice, SendMail, SendMore } from './contracts.js';
import { handler, Heard, JobsFixture, Signal } from './jobs-fixture.js';

let fixture: JobsFixture;
let failures: Heard<'attempt-failed'>;
beforeAll(async () => {
  fixture = await JobsFixture.start();
});
beforeEach(() => {
  failures = new Heard('attempt-failed');
});
afterEach(async () => {
  failures.stop();
  await fixture.clear();
});
afterAll(() => fixture.stop());

const send = async (to = 'a') => (await fixture.jobs.enqueue(SendMail, { to })).id;
const settled = (id: string) => fixture.finished('emails', id);

describe('a job', () => {
  it('reaches its handler as an instance of its class, with its context', async () => {
    const seen = new Signal<[SendMore, JobContext]>();
    await fixture.worker([handler(SendMore, (payload, context) => seen.give([payload, context]))]);
    const { id } = await fixture.jobs.enqueue(SendMore, { to: 'a', extra: 'kept' } as SendMore, { idempotencyKey: 'order-1' });
    const [payload, context] = await seen.promise;
    expect(payload).toBeInstanceOf(SendMore);
    expect(payload).toEqual({ to: 'a', extra: 'kept' });
    expect(context).toMatchObject({ jobId: id, queue: 'emails', name: 'send-more', attempt: 1, crashes: 0, idempotencyKey: 'order-1' });
    expect(context.enqueuedAt.getTime()).toBe((await fixture.stored('emails', id)).timestamp);
    expect(context.signal.aborted).toBe(false);
    expect(() => context.transaction).toThrow(/inbox: true/);
  });

  it.each([
    ['a large value', 'x'.repeat(2_000_000)],
    ['a value that JSON does not have', 1n],
    ['a function', () => 1],
  ])('completes whatever its handler returns: %s', async (_name, value) => {
    await fixture.worker([handler(SendMail, () => value)]);
    const job = await settled(await send());
    expect([await job.getState(), job.returnvalue]).toEqual(['completed', null]);
  });

  it('keeps progress and log lines', async () => {
    await fixture.worker([
      handler(SendMail, async (_payload, context) => {
        await context.progress({ done: 3, of: 4 });
        await context.log('halfway');
      }),
    ]);
    const job = await settled(await send());
    expect(job.progress).toEqual({ done: 3, of: 4 });
    expect((await fixture.queue('emails').getJobLogs(job.id!)).logs).toEqual(['halfway']);
  });
});

describe('finished jobs', () => {
  /** Makes a finished job of this queue older. */
  async function age(id: string, state: 'completed' | 'failed', seconds: number): Promise<void> {
    const queue = fixture.queue('emails');
    const client: unknown = await queue.getBackend().client;
    const redis = client as { zadd(key: string, score: number, id: string): Promise<number> };
    await redis.zadd(queue.toKey(state), Date.now() - seconds * 1_000, id);
  }

  it.each(['completed', 'failed'] as const)('are kept, but not for ever: %s', async (state) => {
    const end = () => (state === 'failed' ? Promise.reject(new Error('no')) : null);
    await fixture.worker([handler(SendMail, end, { attempts: 1 })]);
    const [young, old] = [await settled(await send()), await settled(await send())];
    await age(young.id!, state, JOB_RETENTION[state].age - 60);
    await age(old.id!, state, JOB_RETENTION[state].age + 60);
    await settled(await send());
    expect(await fixture.queue('emails').getJobState(young.id!)).toBe(state);
    expect(await fixture.queue('emails').getJobState(old.id!)).toBe('unknown');
  });
});

describe('a payload that was stored by other code', () => {
  it.each([
    ['of another shape', { to: 7 }],
    ['null', null],
    ['a list', [1]],
  ])('fails at once and for good when it is %s', async (_name, data) => {
    let calls = 0;
    await fixture.worker([handler(SendMail, () => (calls += 1), { attempts: 3 })]);
    const added = await fixture.queue('emails').add('send-mail', data, { attempts: 3 });
    const job = await settled(added.id!);
    expect([await job.getState(), job.attemptsMade, calls]).toEqual(['failed', 1, 0]);
    expect(job.failedReason).toMatch(/SendMail/);
    expect(failures.events).toMatchObject([{ outcome: 'dead-letter', error: { code: 'INVALID_PAYLOAD' }, queue: 'emails' }]);
  });

  it('fails when it nests 20,000 levels', async () => {
    const { id } = await fixture.jobs.enqueue(SendMail, { to: 'a' });
    const queue = fixture.queue('emails');
    await (await queue.getBackend().client).hset(queue.toKey(id), { data: '{"to":'.repeat(20_000) + '1' + '}'.repeat(20_000) });
    await fixture.worker([handler(SendMail, () => undefined)]);
    expect((await queue.getJobState(id)) && (await failures.first)).toMatchObject({ messageId: id });
  });
});

describe('a handler that throws', () => {
  it('is tried again, by the policy', async () => {
    const attempts: number[] = [];
    await fixture.worker([
      handler(SendMail, (_payload, { attempt }) => {
        attempts.push(attempt);
        if (attempt < 3) throw new Error(`no ${attempt}`);
      }),
    ]);
    const job = await settled(await send());
    expect([await job.getState(), attempts]).toEqual(['completed', [1, 2, 3]]);
    expect(failures.events).toMatchObject([
      { messageId: job.id, attempt: 1, outcome: 'retry', delayMs: 5, error: { message: 'no 1' } },
      { messageId: job.id, attempt: 2, outcome: 'retry', delayMs: 5, error: { message: 'no 2' } },
    ]);
  });

  it('fails when its attempts are used up, with the error as it was thrown', async () => {
    await fixture.worker([
      handler(SendMail, () => {
        throw new TypeError('no such address', { cause: new Error('SMTP 550') });
      }),
    ]);
    const job = await settled(await send());
    expect([await job.getState(), job.attemptsMade, job.failedReason]).toEqual(['failed', 3, 'no such address']);
    expect(job.stacktrace).toHaveLength(3);
    for (const stack of job.stacktrace!) expect(stack).toMatch(/TypeError: no such address[^]*job-worker\.spec[^]*Caused by: Error: SMTP 550/);
    expect(failures.events.map(({ outcome }) => outcome)).toEqual(['retry', 'retry', 'dead-letter']);
  });

  it('keeps what its error carries with the stack, and no secret', async () => {
    const refused = Object.assign(new Error('refused'), { response: { status: 422, data: { reason: 'no_such_box', token: 'hunter2' } } });
    const failure = new Error('mail failed', { cause: refused });
    await fixture.worker([handler(SendMail, () => Promise.reject(failure), { attempts: 1 })]);
    const [stack] = (await settled(await send())).stacktrace!;
    expect(stack).toContain('Details: {"cause":{"status":422,"response":{"reason":"no_such_box","token":"[redacted]"}}}');
  });

  it('waits exponentially, up to the longest delay', async () => {
    const backoff = exponential('1ms', { max: '4ms', jitter: false });
    await fixture.worker([handler(SendMail, () => Promise.reject(new Error('no')), { attempts: 6, backoff })]);
    await settled(await send());
    expect(failures.events.map(({ delayMs }) => delayMs)).toEqual([1, 2, 4, 4, 4, undefined]);
  });

  it('goes by the policy of who handles the job, not by that of who enqueued it', async () => {
    await fixture.worker([handler(SendMail, () => Promise.reject(new Error('no')), { attempts: 1 })]);
    expect((await settled(await send())).attemptsMade).toBe(1);
    const added = await fixture.queue('emails').add('send-mail', { to: 'a' }, { attempts: 9, backoff: { type: 'fixed', delay: 3_600_000 } });
    expect((await settled(added.id!)).attemptsMade).toBe(1);
  });

  it.each([
    ['undefined', undefined],
    ['a string', 'oops'],
    ['an object without a prototype', Object.create(null)],
    ['a very long message', new Error('x'.repeat(1_000_000))],
  ])('may throw %s', async (_name, thrown: unknown) => {
    await fixture.worker([handler(SendMail, () => Promise.reject(thrown as Error), { attempts: 1 })]);
    const job = await settled(await send());
    expect(await job.getState()).toBe('failed');
    expect(job.failedReason.length).toBeLessThan(3_000);
  });
});

describe('a handler may throw', () => {
  it('RetryLater: tried again after that delay, as the next attempt', async () => {
    const attempts: number[] = [];
    await fixture.worker([
      handler(SendMail, (_payload, { attempt }) => {
        attempts.push(attempt);
        if (attempt === 1) throw new RetryLater('21ms');
      }, { backoff: fixed('1h') }),
    ]);
    const job = await settled(await send());
    expect([await job.getState(), attempts]).toEqual(['completed', [1, 2]]);
    expect(failures.events).toMatchObject([{ outcome: 'retry', delayMs: 21 }]);
  });

  it('RetryLater: but not for ever', async () => {
    await fixture.worker([handler(SendMail, () => Promise.reject(new RetryLater('1ms')), { attempts: 2 })]);
    const job = await settled(await send());
    expect([await job.getState(), job.attemptsMade]).toEqual(['failed', 2]);
  });

  it('DeadLetter: failed at once, the original error kept', async () => {
    await fixture.worker([handler(SendMail, () => Promise.reject(new DeadLetter('unknown item 7', { cause: new Error('404') })))]);
    const job = await settled(await send());
    expect([await job.getState(), job.attemptsMade, job.failedReason]).toEqual(['failed', 1, 'unknown item 7']);
    expect(job.stacktrace![0]).toMatch(/unknown item 7[^]*Caused by: Error: 404/);
  });

  it('Discard: completed', async () => {
    await fixture.worker([handler(SendMail, () => Promise.reject(new Discard('too old')))]);
    const job = await settled(await send());
    expect([await job.getState(), job.returnvalue, failures.events]).toEqual(['completed', 'discarded', []]);
  });
});

describe('a job that nobody here is for', () => {
  it.each(['mystery', 'constructor', '__proto__'])('named %s fails with a typed error and is kept', async (name) => {
    await fixture.worker([handler(SendMail, () => undefined)]);
    const added = await fixture.queue('emails').add(name, { any: 'thing' }, { removeOnFail: true, removeOnComplete: true });
    const job = await settled(added.id!);
    expect(await job.getState()).toBe('failed');
    expect(job.failedReason).toContain(`named "${name}", which no handler of this process is for`);
    expect(failures.events).toMatchObject([{ outcome: 'dead-letter', error: { code: 'NOT_A_JOB' } }]);
  });

  it('uses its own attempts, so that a process of a newer release may still get it', async () => {
    const old = await fixture.worker([handler(SendMail, () => undefined)]);
    const { id } = await fixture.jobs.enqueue(SendInvoice, { to: 'a' });
    expect(await failures.first).toMatchObject({ messageId: id, outcome: 'retry', error: { code: 'NOT_A_JOB' } });
    await old.stop(5_000);
    await (await fixture.stored('emails', id)).promote();
    const seen = new Signal<number>();
    await fixture.worker([handler(SendInvoice, (_payload, { attempt }) => seen.give(attempt))]);
    expect(await seen.promise).toBe(2);
  });
});

describe('the inbox', () => {
  const transaction: SqlTransaction = { query: () => Promise.resolve({ rows: [], rowCount: 0 }) };

  it('surrounds the handler, by job name and job id', async () => {
    const asked: unknown[][] = [];
    const inbox: InboxPort = {
      run: async (subscriber, messageId, work) => {
        asked.push([subscriber, messageId]);
        return { duplicate: false, value: await work(transaction) };
      },
    };
    const seen = new Signal<SqlTransaction>();
    await fixture.worker([handler(SendMail, (_payload, context) => seen.give(context.transaction), { inbox })]);
    const id = await send();
    expect(await seen.promise).toBe(transaction);
    expect(asked).toEqual([['queue/emails/send-mail', id]]);
  });

  it('completes a job that it has seen, without the handler', async () => {
    let calls = 0;
    const inbox: InboxPort = { run: () => Promise.resolve({ duplicate: true }) };
    await fixture.worker([handler(SendMail, () => (calls += 1), { inbox })]);
    const job = await settled(await send());
    expect([await job.getState(), job.returnvalue, calls]).toEqual(['completed', 'deduplicated', 0]);
  });

  it('fails the attempt when it throws', async () => {
    const inbox: InboxPort = { run: () => Promise.reject(new Error('no database')) };
    await fixture.worker([handler(SendMail, () => undefined, { inbox })]);
    const job = await settled(await send());
    expect([await job.getState(), job.attemptsMade, job.failedReason]).toEqual(['failed', 3, 'no database']);
  });
});

describe('startJobWorker', () => {
  const good = () => ({
    queue: 'emails', prefix: 'p', concurrency: 1, connection: {},
    handlers: new Map([['send-mail', handler(SendMail, () => undefined)]]),
  });
  it.each([
    [{ queue: 'a:b' }, /queue must be/],
    [{ concurrency: 0 }, /concurrency must be/],
    [{ concurrency: '8' }, /concurrency must be/],
    [{ concurrency: 1.5 }, /concurrency must be/],
    [{ lockDurationMs: 100 }, /lockDurationMs must be/],
    [{ handlers: new Map() }, /handlers must be/],
    [{ handlers: {} }, /handlers must be/],
    [{ handlers: new Map([['other', handler(SendMail, () => undefined)]]) }, /'other' is for the job 'send-mail'/],
    [{ queue: 'mails' }, /belongs to the queue 'emails'/],
  ])('refuses %j', async (change, message) => {
    await expect(startJobWorker({ ...good(), ...change } as never)).rejects.toThrow(message);
  });

  it('names all problems at once', async () => {
    await expect(startJobWorker({ ...good(), concurrency: -1, lockDurationMs: NaN })).rejects.toThrow(/concurrency[^]*lockDurationMs/);
  });
});
