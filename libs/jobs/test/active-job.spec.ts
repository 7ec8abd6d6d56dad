import { describe, expect, it } from '@jest/globals';
import { MillraceError } from '@millrace/core';
import { ActiveJob } from '../src/worker/active-job.js';

const lockLost = (id: string): MillraceError => new MillraceError('STATE_LOST', `job ${id} is another's`);

/** A job whose lock lasts so long, and which counts how often its lock was asked for. */
class AskedJob extends ActiveJob {
  asked = 0;

  constructor(lockMs: number, answer: () => Promise<boolean>) {
    const askForLock = (): Promise<boolean> => {
      this.asked += 1;
      return answer();
    };
    super({ id: '7', name: 'send-mail', askForLock }, { paused: new AbortController().signal, lockMs, lockLost });
  }
}

/** A lock that has run out from the start. */
const OVER_MS = -1;
const FRESH_MS = 3_600_000;

describe('an active job that is to be confirmed', () => {
  it('is given up when its lock has run out and another worker has it', async () => {
    const job = new AskedJob(OVER_MS, () => Promise.resolve(false));
    await job.confirm();
    expect([job.asked, job.isGivenUp]).toEqual([1, true]);
    expect(job.signal.reason).toMatchObject({ code: 'STATE_LOST', message: "job 7 is another's" });
    await job.confirm();
    expect(job.asked).toBe(1);
  });

  it('stays when its lock was prolonged, and when nobody answers', async () => {
    for (const answer of [() => Promise.resolve(true), () => Promise.reject(new Error('no answer'))]) {
      const job = new AskedJob(OVER_MS, answer);
      await job.confirm();
      expect([job.asked, job.isGivenUp]).toEqual([1, false]);
    }
  });

  it('is not asked about while its lock is fresh', async () => {
    const job = new AskedJob(FRESH_MS, () => Promise.resolve(false));
    await job.confirm();
    expect([job.asked, job.isGivenUp]).toEqual([0, false]);
  });
});

describe('an active job that is revoked before its attempt has begun to be waited for', () => {
  it('goes back, and what the attempt throws later is no unhandled rejection', async () => {
    const job = new AskedJob(FRESH_MS, () => Promise.resolve(true));
    job.revoke(new MillraceError('CLOSED', 'stops'));
    const unhandled: unknown[] = [];
    const hear = (reason: unknown): void => void unhandled.push(reason);
    process.on('unhandledRejection', hear);
    expect(await job.until(Promise.reject(new Error('late')))).toBeNull();
    await new Promise((resolve) => setImmediate(resolve));
    process.off('unhandledRejection', hear);
    expect(unhandled).toEqual([]);
  });
});
