import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type InboxPort, type InboxResult, Job, type SqlTransaction } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { ValidateBy } from 'class-validator';
import type { Redis } from 'ioredis';
import { SendMail } from './contracts.js';
import { handler, Heard, JobsFixture, Signal } from './jobs-fixture.js';

let fixture: JobsFixture;
beforeAll(async () => {
  fixture = await JobsFixture.start();
});
afterEach(() => fixture.clear());
afterAll(() => fixture.stop());

/** An inbox in memory: like a real one, it rolls back what fails. */
class MemoryInbox implements InboxPort {
  readonly seen: string[] = [];

  async run<T>(_: string, messageId: string, work: (sql: SqlTransaction) => Promise<T>): Promise<InboxResult<T>> {
    const value = await work({ query: () => Promise.resolve({ rows: [], rowCount: 0 }) });
    this.seen.push(messageId);
    return { duplicate: false, value };
  }
}

const client = async (): Promise<Redis> => (await fixture.queue('emails').getBackend().client) as unknown as Redis;

type End = 'returns' | 'throws';
const CASES: [End, string][] = [
  ['returns', 'without'],
  ['throws', 'without'],
  ['returns', 'with'],
  ['throws', 'with'],
];

/** A handler that begins, and ends as it is told, at the latest when its signal aborts. */
function obedient(
  end: End,
  inbox: InboxPort | undefined,
): { begun: Signal<AbortSignal>; ended: Signal; registration: ReturnType<typeof handler> } {
  const [begun, ended] = [new Signal<AbortSignal>(), new Signal()];
  const handle = async (_: SendMail, { signal }: { signal: AbortSignal }): Promise<void> => {
    begun.give(signal);
    await new Promise((resolve) => signal.addEventListener('abort', resolve));
    ended.give();
    if (end === 'throws') throw new Error('gives up as well');
  };
  return { begun, ended, registration: handler(SendMail, handle, { attempts: 1, ...(inbox ? { inbox } : {}) }) };
}

describe('a job in hand at the stop deadline', () => {
  it.each(CASES)('is begun again by another worker at once, uncounted, when its handler %s, %s the inbox', async (end, how) => {
    const inbox = how === 'with' ? new MemoryInbox() : undefined;
    const { begun, ended, registration } = obedient(end, inbox);
    const worker = await fixture.worker([registration]);
    const { id } = await fixture.jobs.enqueue(SendMail, { to: 'a' });
    const signal = await begun.promise;
    await worker.stop(1);
    await ended.promise;
    expect(signal.reason).toMatchObject({ code: 'CLOSED' });
    expect(inbox?.seen ?? []).toEqual([]);
    expect(await fixture.jobs.counts('emails')).toMatchObject({ waiting: 1, completed: 0, failed: 0 });
    const seen = new Signal<object>();
    await fixture.worker([handler(SendMail, (_payload, context) => seen.give(context), { attempts: 1 })]);
    expect(await seen.promise).toMatchObject({ jobId: id, attempt: 1, crashes: 0 });
    const job = await fixture.finished('emails', id);
    expect([await job.getState(), job.attemptsMade, job.stalledCounter]).toEqual(['completed', 1, 0]);
  });

  it('is begun again at once by a worker that waits for jobs, though it has a priority', async () => {
    const { begun, registration } = obedient('returns', undefined);
    const worker = await fixture.worker([registration]);
    const { id } = await fixture.jobs.enqueue(SendMail, { to: 'a' }, { priority: 7 });
    await begun.promise;
    const seen: object[] = [];
    await fixture.worker([handler(SendMail, (_payload, context) => seen.push(context))]);
    await waitFor(async () => (await (await client()).info('clients')).includes('blocked_clients:2'), { what: 'both to wait for jobs' });
    await worker.stop(1);
    // By itself a waiting worker looks no sooner than after 5 seconds.
    await waitFor(() => seen.length > 0, { what: 'the other worker', timeoutMs: 2_500 });
    expect(seen).toMatchObject([{ jobId: id, attempt: 1, crashes: 0 }]);
  });

  it('is told of, and counts no failed attempt, when Redis refuses to take it back', async () => {
    const { begun, registration } = obedient('throws', undefined);
    const worker = await fixture.worker([registration]);
    const { id } = await fixture.jobs.enqueue(SendMail, { to: 'a' });
    await begun.promise;
    const client = await fixture.queue('emails').getBackend().client;
    const wait = fixture.queue('emails').toKey('wait');
    await client.set(wait, 'a key of another type');
    const told = new Heard('loop-failed');
    await worker.stop(1);
    told.stop();
    await client.del(wait);
    expect(told.events.map(({ error }) => error.message)).toEqual([expect.stringContaining('WRONGTYPE')]);
    const { attemptsMade, failedReason } = await fixture.stored('emails', id);
    expect([attemptsMade, failedReason]).toEqual([0, undefined]);
  });
});

describe('a job whose lock is lost', () => {
  const LOCK = { lockDurationMs: 500 };
  /** A busy machine renews it in time: it is lost only where a test takes it away. */
  const LONG_LOCK = { lockDurationMs: 3_000 };

  const lockOf = (id: string): string => `${fixture.queue('emails').toKey(id)}:lock`;

  async function takeLock(id: string): Promise<void> {
    await (await client()).set(lockOf(id), 'another worker');
  }

  async function lockMs(id: string): Promise<number> {
    return (await client()).pttl(lockOf(id));
  }

  it.each(CASES)('counts for nothing when its handler %s, %s the inbox', async (end, how) => {
    const inbox = how === 'with' ? new MemoryInbox() : undefined;
    const { begun, ended, registration } = obedient(end, inbox);
    await fixture.worker([registration], LOCK);
    const { id } = await fixture.jobs.enqueue(SendMail, { to: 'a' });
    const signal = await begun.promise;
    const fenced = new Heard('fenced');
    await takeLock(id);
    await ended.promise;
    expect(signal.reason).toMatchObject({ code: 'STATE_LOST' });
    expect(await fenced.first).toMatchObject({ queue: 'emails', messageId: id });
    fenced.stop();
    expect(inbox?.seen ?? []).toEqual([]);
    const job = await fixture.stored('emails', id);
    expect([await job.getState(), job.attemptsMade]).toEqual(['active', 0]);
  });

  it('keeps its new lock when it comes back to the same worker and its first handler ends only then', async () => {
    const [begun, again, end, ended] = [new Signal(), new Signal<AbortSignal>(), new Signal(), new Signal()];
    const first = async (): Promise<void> => {
      begun.give();
      await end.promise;
      ended.give();
    };
    const second = ({ signal }: { signal: AbortSignal }): Promise<void> => {
      again.give(signal);
      return ended.promise.then(() => renewed(signal));
    };
    let calls = 0;
    const handle = (_: SendMail, context: { signal: AbortSignal }): Promise<void> => {
      calls += 1;
      return calls === 1 ? first() : second(context);
    };
    await fixture.worker([handler(SendMail, handle)], LONG_LOCK);
    const { id } = await fixture.jobs.enqueue(SendMail, { to: 'a' });
    const renewed = async (signal: AbortSignal): Promise<void> => {
      let before = Infinity;
      const isRenewed = async (): Promise<boolean> => before < (before = await lockMs(id));
      await waitFor(async () => signal.aborted || (await isRenewed()), { what: 'the lock to be renewed' });
      signal.throwIfAborted();
    };
    await begun.promise;
    await (await client()).del(lockOf(id));
    await again.promise;
    end.give();
    const job = await fixture.finished('emails', id);
    expect([await job.getState(), job.attemptsMade, job.stalledCounter, calls]).toEqual(['completed', 1, 1, 2]);
  });

  it('is rolled back, too, when its process stood still and was not told before it ends', async () => {
    const inbox = new MemoryInbox();
    const fenced = new Heard('fenced');
    let taking: Promise<void> | undefined;
    const handle = async (_: SendMail, { jobId }: { jobId: string }): Promise<void> => {
      taking = takeLock(jobId);
      await taking;
      // Nothing else runs in this process meanwhile, the renewal of locks included.
      const until = performance.now() + LOCK.lockDurationMs;
      while (performance.now() < until);
    };
    await fixture.worker([handler(SendMail, handle, { inbox })], LOCK);
    const { id } = await fixture.jobs.enqueue(SendMail, { to: 'a' });
    expect(await fenced.first).toMatchObject({ queue: 'emails', messageId: id });
    fenced.stop();
    expect(inbox.seen).toEqual([]);
  });
});

/** The answer of the rule of {@link Slow}, and when it was asked for. */
let rule: { asked: Signal; answer: Signal<boolean> };

@Job<Slow>('slow', { queue: 'emails' })
class Slow {
  @ValidateBy({ name: 'slow', async: true, validator: { validate: () => (rule.asked.give(), rule.answer.promise) } })
  to!: string;
}

describe('a job whose payload is still validated when its worker stops', () => {
  it.each([['in time', 10_000], ['after the stop deadline', 1]])('is not begun when that ends %s', async (_, deadlineMs) => {
    rule = { asked: new Signal(), answer: new Signal() };
    rule.answer.give(true);
    const { id } = await fixture.jobs.enqueue(Slow, { to: 'a' });
    rule = { asked: new Signal(), answer: new Signal() };
    const begun: string[] = [];
    const worker = await fixture.worker([handler(Slow, ({ to }) => Promise.resolve(begun.push(to)))]);
    await rule.asked.promise;
    const stopped = worker.stop(deadlineMs);
    if (deadlineMs === 1) await stopped;
    rule.answer.give(true);
    await stopped;
    await new Promise((resolve) => setImmediate(resolve));
    const job = await fixture.stored('emails', id);
    expect([begun, await job.getState(), job.attemptsMade]).toEqual([[], 'waiting', 0]);
  });
});
