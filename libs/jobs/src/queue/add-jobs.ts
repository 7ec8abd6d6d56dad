import type { Job, Queue } from 'bullmq';
import type { OutgoingJob } from './outgoing-job.js';
import { RedisClock } from './redis-clock.js';

export async function add(queue: Queue, { name, data, opts }: OutgoingJob): Promise<Job> {
  return queue.add(name, data, await timed(queue, opts));
}

export async function addBulk(queue: Queue, jobs: OutgoingJob[]): Promise<Job[]> {
  if (!jobs.some(({ opts }) => opts.delay)) return queue.addBulk(jobs);
  return queue.addBulk(await Promise.all(jobs.map(async (job) => ({ ...job, opts: await timed(queue, job.opts) }))));
}

const clocks = new WeakMap<Queue, RedisClock>();

/** BullMQ counts a delay from the job's timestamp, and would take that from the clock of this process. */
async function timed(queue: Queue, opts: OutgoingJob['opts']): Promise<OutgoingJob['opts']> {
  if (!opts.delay) return opts;
  const clock = clocks.get(queue) ?? new RedisClock(queue.getBackend());
  clocks.set(queue, clock);
  return { ...opts, timestamp: await clock.latest() };
}
