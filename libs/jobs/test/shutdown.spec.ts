import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { TypeScriptChild, waitFor } from '@millrace/testing';
import { closePromptly } from '../src/index.js';
import { SendMail } from './contracts.js';
import { handler, JobsFixture, Signal } from './jobs-fixture.js';

let fixture: JobsFixture;
beforeAll(async () => {
  fixture = await JobsFixture.start({ appendonly: 'always' });
});
afterEach(async () => {
  await fixture.clear();
});
afterAll(() => fixture.stop());

const send = async () => (await fixture.jobs.enqueue(SendMail, { to: 'a' })).id;
const never = new Promise<never>(() => undefined);

/** A handler that tells when it has begun and ends when it is let go. */
function held(): { begun: Signal<AbortSignal>; release: Signal; registration: ReturnType<typeof handler> } {
  const begun = new Signal<AbortSignal>();
  const release = new Signal();
  const registration = handler(SendMail, (_payload, { signal }) => {
    begun.give(signal);
    return release.promise;
  });
  return { begun, release, registration };
}

describe('stop', () => {
  it('ends an idle worker; once', async () => {
    const worker = await fixture.worker([handler(SendMail, () => undefined)]);
    expect(worker.problem()).toBeNull();
    const first = worker.stop(60_000);
    expect(worker.stop(1)).toBe(first);
    await first;
    expect(worker.problem()).toMatch(/stopped/);
  });

  it('lets the job at work finish and begins no other', async () => {
    const { begun, release, registration } = held();
    const worker = await fixture.worker([registration], { concurrency: 1 });
    await send();
    await send();
    const signal = await begun.promise;
    const stopped = worker.stop(60_000);
    release.give();
    await stopped;
    expect(signal.aborted).toBe(false);
    expect(await fixture.jobs.counts('emails')).toMatchObject({ completed: 1, waiting: 1, active: 0, failed: 0 });
  });

  it('gives a job back whose handler never settles, without counting an attempt', async () => {
    const begun = new Signal<AbortSignal>();
    const worker = await fixture.worker([
      handler(SendMail, (_payload, { signal }) => {
        begun.give(signal);
        return never;
      }),
    ]);
    const id = await send();
    const signal = await begun.promise;
    await worker.stop(1);
    expect(signal.reason).toMatchObject({ code: 'CLOSED' });
    expect(await fixture.jobs.counts('emails')).toMatchObject({ waiting: 1, active: 0, delayed: 0, failed: 0 });
    const seen = new Signal<unknown[]>();
    await fixture.worker([handler(SendMail, (_payload, { jobId, attempt, crashes }) => seen.give([jobId, attempt, crashes]))]);
    expect(await seen.promise).toEqual([id, 1, 0]);
  });

  it('gives a job back whose handler obeys its signal', async () => {
    const begun = new Signal();
    const worker = await fixture.worker([
      handler(SendMail, (_payload, { signal }) => {
        begun.give();
        return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
      }),
    ]);
    const id = await send();
    await begun.promise;
    await worker.stop(0);
    expect(await fixture.jobs.counts('emails')).toMatchObject({ waiting: 1, delayed: 0, failed: 0 });
    expect((await fixture.stored('emails', id)).attemptsMade).toBe(0);
  });

  it('ends although Redis is gone', async () => {
    const { begun, registration } = held();
    const worker = await fixture.worker([registration]);
    await send();
    await begun.promise;
    await fixture.redis.kill();
    await worker.stop(1).finally(() => fixture.redis.restart());
  });

  /** So long that the test would end first, if anything waited for it. */
  const HOUR_MS = 3_600_000;

  it.each([1, HOUR_MS])('ends although Redis does not answer, when no job is in hand: %i ms', async (deadlineMs) => {
    const worker = await fixture.worker([handler(SendMail, () => undefined)]);
    fixture.redis.pause();
    await worker.stop(deadlineMs).finally(() => fixture.redis.resume());
  });

  it('ends at once although Redis is gone, when no job is in hand', async () => {
    const worker = await fixture.worker([handler(SendMail, () => undefined)]);
    await fixture.redis.kill();
    await waitFor(() => worker.problem() !== null, { what: 'the worker to miss its connection' });
    await worker.stop(HOUR_MS).finally(() => fixture.redis.restart());
  });

  it('has a queue closed although Redis does not answer', async () => {
    const queue = fixture.newQueue('emails');
    closePromptly(queue);
    await queue.waitUntilReady();
    fixture.redis.pause();
    await queue.close().finally(() => fixture.redis.resume());
  });

  it.each(['idle', 'redis-killed', 'never-settles'])('leaves nothing that keeps the process alive: %s', async (how) => {
    const child = new TypeScriptChild(new URL('./fixtures/stopping-worker.ts', import.meta.url), {
      args: [fixture.redis.url, fixture.prefix, how],
    });
    expect(await child.line()).toBe('running');
    if (how === 'never-settles') {
      await send();
      expect(await child.line()).toBe('begun');
    }
    if (how === 'redis-killed') await fixture.redis.kill();
    child.process.kill('SIGUSR2');
    const last = [await child.line(), await child.ended];
    if (how === 'redis-killed') await fixture.redis.restart();
    expect(last).toEqual(['stopped', { code: 0, signal: null }]);
  });
});

describe('pause', () => {
  it('takes no new jobs and lets those at work finish', async () => {
    const { begun, release, registration } = held();
    const worker = await fixture.worker([registration], { concurrency: 1 });
    const id = await send();
    await begun.promise;
    await worker.pause();
    await send();
    release.give();
    expect(await (await fixture.finished('emails', id)).getState()).toBe('completed');
    await worker.stop(5_000);
    expect(await fixture.jobs.counts('emails')).toMatchObject({ completed: 1, waiting: 1 });
  });
});
