import type { Job, RedisQueueBackend } from 'bullmq';

type Backend = Pick<RedisQueueBackend, 'client' | 'toKey'>;

/**
 * Puts a job to the front of its queue, without counting an attempt, and wakes a worker that waits for jobs. BullMQ itself wakes
 * none for a job with a priority: the job would lie there until one looks, up to 10 seconds.
 *
 * @throws when the job is another's by now, or Redis does not take it
 */
export async function putBack(backend: Backend, job: Job, token: string): Promise<void> {
  await job.moveToWait(token);
  if (job.priority === 0) return;
  const client = (await backend.client) as unknown as { zadd(key: string, score: number, member: string): Promise<unknown> };
  await client.zadd(backend.toKey('marker'), 0, '0');
}
