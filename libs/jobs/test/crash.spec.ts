import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { InboxPort } from '@millrace/core';
import { TypeScriptChild } from '@millrace/testing';
import { JOB_CRASH_LIMIT } from '../src/index.js';
import { SendMail } from './contracts.js';
import { handler, Heard, JobsFixture, Signal } from './jobs-fixture.js';

const LOCK = { lockDurationMs: 1_000 };

let fixture: JobsFixture;
let child: TypeScriptChild;
beforeAll(async () => {
  fixture = await JobsFixture.start();
});
afterEach(async () => {
  await child.kill();
  await fixture.clear();
});
afterAll(() => fixture.stop());

/** A job in the hands of another process. */
async function begunElsewhere(): Promise<string> {
  child = new TypeScriptChild(new URL('./fixtures/holding-worker.ts', import.meta.url), { args: [fixture.redis.url, fixture.prefix] });
  const { id } = await fixture.jobs.enqueue(SendMail, { to: 'a' });
  expect(await child.line()).toBe(`inbox queue/emails/send-mail ${id}`);
  expect(await child.line()).toBe(`begun ${id} 1`);
  return id;
}

describe('a worker that is killed', () => {
  it('has its job done by another, which asks the inbox again', async () => {
    const reclaimed = new Heard('reclaimed');
    const id = await begunElsewhere();
    await child.kill('SIGKILL');
    const asked: unknown[][] = [];
    const inbox: InboxPort = {
      run: async (subscriber, messageId, work) => {
        asked.push([subscriber, messageId]);
        return { duplicate: false, value: await work({ query: () => Promise.resolve({ rows: [], rowCount: 0 }) }) };
      },
    };
    const seen = new Signal<object>();
    await fixture.worker([handler(SendMail, (_payload, context) => seen.give(context), { inbox })], LOCK);
    expect(await seen.promise).toMatchObject({ jobId: id, attempt: 1, crashes: 1 });
    expect(asked).toEqual([['queue/emails/send-mail', id]]);
    expect(await (await fixture.finished('emails', id)).getState()).toBe('completed');
    expect(reclaimed.events).toEqual([{ queue: 'emails', count: 1 }]);
    reclaimed.stop();
  });

  it.each([
    [JOB_CRASH_LIMIT - 2, 'completed'],
    [JOB_CRASH_LIMIT - 1, 'failed'],
  ])('after %i crashes before: %s', async (crashes, state) => {
    const failures = new Heard('attempt-failed');
    const id = await begunElsewhere();
    const queue = fixture.queue('emails');
    await (await queue.getBackend().client).hset(queue.toKey(id), { stc: crashes });
    await child.kill('SIGKILL');
    await fixture.worker([handler(SendMail, () => undefined)], LOCK);
    expect(await (await fixture.finished('emails', id)).getState()).toBe(state);
    const told = state === 'failed' ? [{ queue: 'emails', messageId: id, outcome: 'dead-letter', error: { code: 'CRASH_LOOP' } }] : [];
    expect(failures.events).toMatchObject(told);
    failures.stop();
  });
});

describe('a worker that was frozen for longer than its lock', () => {
  it('is told that it lost the job, and its late completion is refused', async () => {
    const id = await begunElsewhere();
    child.process.kill('SIGSTOP');
    const { begun, release } = { begun: new Signal<number>(), release: new Signal() };
    await fixture.worker([
      handler(SendMail, (_payload, { crashes }) => {
        begun.give(crashes);
        return release.promise;
      }),
    ], LOCK);
    expect(await begun.promise).toBe(1);
    child.process.kill('SIGCONT');
    expect(await child.line()).toBe('aborted STATE_LOST');
    child.process.kill('SIGUSR2');
    expect(await child.line()).toBe(`fenced ${id}`);
    expect(await (await fixture.stored('emails', id)).getState()).toBe('active');
    release.give();
    expect(await (await fixture.finished('emails', id)).getState()).toBe('completed');
  });
});
