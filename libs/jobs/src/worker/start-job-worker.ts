import { asError, isName, MillraceError } from '@millrace/core';
import type { Job, RedisQueueBackend } from 'bullmq';
import { bullPrefix, type JobConnectionOptions } from '../connection/bull-connection.js';
import { JOB_RETENTION } from '../queue/retention.js';
import { ActiveJobs } from './active-jobs.js';
import { CountedWorker } from './counted-worker.js';
import { jobProcessor } from './job-processor.js';
import type { JobRegistrations } from './job-registration.js';
import { JobWorker } from './job-worker.js';
import { goByRedisTime } from './redis-time.js';
import { backoffStrategy } from './settle.js';

export interface JobWorkerOptions {
  readonly queue: string;
  /** `bullConnection(url, 'worker')`; the worker opens two connections of its own. */
  readonly connection: JobConnectionOptions;
  /** The key prefix of the platform: `millrace` and `{millrace}` mean the same. */
  readonly prefix: string;
  /** Jobs that this process handles at once, 1 to 1000. */
  readonly concurrency: number;
  readonly handlers: JobRegistrations;
  /**
   * How long a silent process keeps its jobs, in milliseconds, at least 500. A job of a killed process is begun again at most
   * 2 seconds after it. Default 15,000.
   */
  readonly lockDurationMs?: number;
  /** A handler at work for so long is stuck; the worker reports a problem when all are, and none ends. Default 300,000. */
  readonly stuckAfterMs?: number;
}

/** A job whose process vanished this often is given up as a crash loop. */
export const JOB_CRASH_LIMIT = 10;
const DEFAULT_LOCK_MS = 15_000;
const DEFAULT_STUCK_AFTER_MS = 300_000;
const LONGEST_STALLED_CHECK_MS = 2_000;
const START_TIMEOUT_MS = 5_000;
/** BullMQ waits 15 seconds by default after a connection error before it fetches again. */
const RUN_RETRY_DELAY_MS = 1_000;

/**
 * Starts a worker of one queue and resolves when it fetches.
 *
 * @throws MillraceError INVALID_OPTIONS, INVALID_NAME; REDIS_UNREACHABLE, REDIS_FAILED after 5 seconds at the latest
 */
export async function startJobWorker(options: JobWorkerOptions): Promise<JobWorker> {
  assertOptions(options);
  const { queue, connection, prefix, concurrency, handlers, lockDurationMs = DEFAULT_LOCK_MS } = options;
  const { stuckAfterMs = DEFAULT_STUCK_AFTER_MS } = options;
  const active = new ActiveJobs({ concurrency, stuckAfterMs, lockMs: lockDurationMs, lockLost: (id) => lockLost(queue, id) });
  const onFailed = (error: unknown): void => void worker.emit('error', asError(error));
  const back = (job: Job, token: string): Promise<void> => putBack(worker.getBackend(), job, token);
  const processor = jobProcessor({ handlers, active, lockMs: lockDurationMs, putBack: back, onFailed });
  const worker = new CountedWorker(queue, processor, {
    connection,
    prefix: bullPrefix(prefix),
    concurrency,
    autorun: false,
    lockDuration: lockDurationMs,
    // A job is moved by the first check after its lock expired that was not also the first to see the job.
    stalledInterval: Math.min(LONGEST_STALLED_CHECK_MS, lockDurationMs / 2),
    maxStalledCount: JOB_CRASH_LIMIT - 1,
    runRetryDelay: RUN_RETRY_DELAY_MS,
    removeOnComplete: JOB_RETENTION.completed,
    removeOnFail: JOB_RETENTION.failed,
    settings: { backoffStrategy },
  });
  goByRedisTime(worker.getBackend());
  const jobWorker = new JobWorker(worker, active);
  await jobWorker.start(START_TIMEOUT_MS);
  return jobWorker;
}

function lockLost(queue: string, id: string): MillraceError {
  return new MillraceError(
    'STATE_LOST',
    `Job ${id} of queue '${queue}' was taken from this process: its lock was lost, nothing that follows counts. Stop.`,
  );
}

function assertOptions({ queue, concurrency, handlers, lockDurationMs = DEFAULT_LOCK_MS }: JobWorkerOptions): void {
  const problems = [
    ...(isName(queue) ? [] : ['queue must be the name of a queue']),
    ...(isWhole(concurrency, 1, 1_000) ? [] : ['concurrency must be a whole number from 1 to 1000']),
    ...(isWhole(lockDurationMs, 500, 3_600_000) ? [] : ['lockDurationMs must be a whole number from 500 to 3600000']),
    ...(handlers instanceof Map && handlers.size > 0 ? [] : ['handlers must be a Map with at least one job']),
    ...strangers(queue, handlers),
  ];
  if (problems.length > 0) throw new MillraceError('INVALID_OPTIONS', 'The job worker is not configured well.', { problems });
}

function isWhole(value: unknown, min: number, max: number): boolean {
  return typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max;
}

function strangers(queue: string, handlers: JobRegistrations): string[] {
  if (!(handlers instanceof Map)) return [];
  return [...(handlers as JobRegistrations)].flatMap(([name, { definition }]) => [
    ...(definition.name === name ? [] : [`the handler of '${name}' is for the job '${definition.name}'`]),
    ...(definition.queue === queue ? [] : [`the job '${definition.name}' belongs to the queue '${definition.queue}'`]),
  ]);
}

type Backend = Pick<RedisQueueBackend, 'client' | 'toKey'>;

/**
 * Puts a job to the front of its queue, without counting an attempt, and wakes a worker that waits for jobs. BullMQ itself wakes
 * none for a job with a priority: the job would lie there until one looks, up to 10 seconds.
 *
 * @throws when the job is another's by now, or Redis does not take it
 */
async function putBack(backend: Backend, job: Job, token: string): Promise<void> {
  await job.moveToWait(token);
  if (job.priority === 0) return;
  const client = (await backend.client) as unknown as { zadd(key: string, score: number, member: string): Promise<unknown> };
  await client.zadd(backend.toKey('marker'), 0, '0');
}
