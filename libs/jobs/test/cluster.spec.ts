import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { fixed, Job, jobOf, type MillraceError } from '@millrace/core';
import { bullConnection, bullPrefix, closePromptly, JobQueue, type JobRegistration, type JobWorker, startJobWorker, watchQueue } from '@millrace/jobs';
import { slotOf } from '@millrace/redis';
import { ClusterSite, uniqueName, waitFor } from '@millrace/testing';
import { Queue } from 'bullmq';
import { IsInt } from 'class-validator';

@Job('check', { queue: 'checks', attempts: 3, backoff: fixed('10ms') })
class Check {
  @IsInt() value!: number;
}

let site: ClusterSite;
let prefix: string;
let queue: Queue;
let worker: JobWorker;
/** By value, the attempts that began. */
const begun = new Map<number, number>();

beforeAll(async () => void (site = await ClusterSite.start({ appendonly: 'always' })));
afterAll(() => site.stop());
beforeEach(async () => {
  begun.clear();
  prefix = uniqueName('cluster');
  queue = new Queue('checks', { connection: bullConnection(site.target, 'queue'), prefix: bullPrefix(prefix) });
  watchQueue(queue);
  closePromptly(queue);
  const handle = async (payload: object): Promise<void> => {
    const { value } = payload as Check;
    begun.set(value, (begun.get(value) ?? 0) + 1);
    if (value % 10 === 3 && begun.get(value) === 1) throw new Error('as planned');
  };
  const registration = { definition: jobOf(Check), timeoutMs: null, handle } as unknown as JobRegistration;
  const connection = bullConnection(site.target, 'worker');
  worker = await startJobWorker({ queue: 'checks', connection, prefix, concurrency: 4, handlers: new Map([['check', registration]]), lockDurationMs: 2_000 });
});
afterEach(async () => {
  await worker.stop(2_000);
  await queue.close();
});

const add = (value: number, options: object = {}): Promise<unknown> =>
  queue.add('check', { value }, { jobId: `j${value}`, attempts: 3, backoff: { type: 'fixed', delay: 10 }, ...options });

async function done(count: number): Promise<void> {
  await waitFor(async () => (await queue.getCompletedCount()) === count, { what: `${count} jobs to be done`, timeoutMs: 30_000 });
}

describe('jobs on a Cluster', () => {
  it('are done, tried again, and begun when they are due', async () => {
    for (let value = 0; value < 20; value += 1) await add(value, value === 7 ? { delay: 300 } : {});
    await done(20);
    expect([begun.get(3), begun.get(13), begun.get(7), begun.size]).toEqual([2, 2, 1, 20]);
    expect(worker.problem()).toBeNull();
  });

  it('are stored while the primary of their slot is replaced, or their enqueue waits its whole time and says that they may be', async () => {
    const primary = await site.cluster.primaryOf(slotOf(`${bullPrefix(prefix)}:checks`));
    const jobs = new JobQueue(() => queue);
    const codes = new Set<string>();
    let isOver = false;
    const enqueue = async (value: number): Promise<void> => {
      for (let next = value; !isOver; next += 10) {
        const code = await jobs.enqueue(Check, { value: next }).then(() => 'stored', (error: unknown) => (error as MillraceError).code);
        codes.add(code);
      }
    };
    await jobs.enqueue(Check, { value: 0 });
    await primary.kill();
    const enqueuing = Promise.all(Array.from({ length: 10 }, (_, index) => enqueue(10 + index)));
    await waitFor(() => codes.has('stored'), { what: 'a job to be stored by the next primary', timeoutMs: 30_000 });
    isOver = true;
    await enqueuing;
    await primary.restart();
    await site.cluster.whenOk();
    expect(['stored', 'PUBLISH_INDEFINITE', 'REDIS_UNREACHABLE']).toEqual(expect.arrayContaining([...codes]));
  });

  it('are all done while the primary of their slot is killed, and comes back', async () => {
    const primary = await site.cluster.primaryOf(slotOf(`${bullPrefix(prefix)}:checks`));
    let isOver = false;
    let added = 0;
    const adding = (async () => {
      while (!isOver) {
        await add(added).then(() => (added += 1), () => undefined);
        await waitFor(() => isOver || begun.size >= added, { what: 'the last job to be begun', timeoutMs: 30_000 });
      }
    })();
    await waitFor(() => added > 20, { what: 'jobs to be added' });
    await primary.kill();
    const isReplaced = async (): Promise<boolean> => {
      const primaries = await site.cluster.primaries();
      return primaries.length === 3 && !primaries.includes(primary);
    };
    await waitFor(isReplaced, { what: 'a replica to be promoted', timeoutMs: 30_000 });
    const before = added;
    await waitFor(() => added > before + 20, { what: 'jobs to be added to the next primary', timeoutMs: 30_000 });
    isOver = true;
    await adding;
    await primary.restart();
    await site.cluster.whenOk();
    await waitFor(() => begun.size >= added, { what: 'each job to be begun', timeoutMs: 30_000 });
    const isEmpty = async (): Promise<boolean> => Object.values(await queue.getJobCounts('wait', 'active', 'delayed')).every((count) => count === 0);
    await waitFor(isEmpty, { what: 'no job to be left', timeoutMs: 30_000 });
    await waitFor(() => worker.problem() === null, { what: 'the worker to be well' });
  });
});
