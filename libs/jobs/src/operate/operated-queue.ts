import { ErrorCode, type Job, type Queue } from 'bullmq';
import { runCommand } from '../queue/queue-command.js';
import { type JobRecord, JOB_STATES, type JobState, recordOf } from './job-record.js';
import { type SchedulerRecord, schedulerRecordOf } from './scheduler-record.js';

/** Jobs of a queue by state, each state by itself. */
export type JobStateCounts = Readonly<Record<JobState, number>>;

/**
 * The end of an action on one job. `missing`: there is no such job; `elsewhere`: it is in another state than the action is for;
 * `scheduled`: it is the next run of a scheduler; `held`: a worker has it.
 */
export type JobOutcome = 'done' | 'missing' | 'elsewhere' | 'scheduled' | 'held';

/** A part of a job's log. */
export interface JobLog {
  readonly lines: readonly string[];
  /** The number of all lines. */
  readonly count: number;
}

/** Jobs that are read from Redis at once: each may have a megabyte. */
const AT_ONCE = 25;

/** Active jobs that are looked through for one: there are as many as workers take at a time. */
const MOST_ACTIVE = 1_000;

/** Newest jobs first where a queue adds at the end and nobody asks for the oldest. */
const NEWEST_FIRST: ReadonlySet<JobState> = new Set(['completed', 'failed']);

const OUTCOMES = new Map<unknown, JobOutcome>([
  [ErrorCode.JobNotExist, 'missing'], [ErrorCode.JobNotInState, 'elsewhere'], [ErrorCode.JobBelongsToJobScheduler, 'scheduled'],
]);

/**
 * A queue in the hands of an operator. Nothing here asks Redis for more than a part of a queue at once, and no action is sent
 * again that may have been done.
 *
 * All methods throw MillraceError REDIS_UNREACHABLE, REDIS_FAILED, BACK_PRESSURE, CLOSED.
 */
export class OperatedQueue {
  readonly #queue: Queue;

  constructor(queue: Queue) {
    this.#queue = queue;
  }

  get name(): string {
    return this.#queue.name;
  }

  counts(): Promise<JobStateCounts> {
    return this.#read('counts', async () => (await this.#queue.getJobCounts(...JOB_STATES)) as JobStateCounts);
  }

  isPaused(): Promise<boolean> {
    return this.#read('isPaused', () => this.#queue.isPaused());
  }

  pause(): Promise<void> {
    return this.#act('pause', () => this.#queue.pause());
  }

  resume(): Promise<void> {
    return this.#act('resume', () => this.#queue.resume());
  }

  /**
   * The ids of jobs in a state from one place to another one, both included: those that come next come first, and of finished
   * ones the newest, unless `isOldestFirst`.
   */
  ids(state: JobState, { from, to, isOldestFirst }: JobRange): Promise<string[]> {
    const ascending = isOldestFirst ?? !NEWEST_FIRST.has(state);
    return this.#read('ids', () => this.#queue.getRanges([state], from, to, ascending));
  }

  /** Those of them that are there, in their order, until they are larger than so many bytes together: one at least. */
  async jobs(ids: readonly string[], mostBytes: number): Promise<{ readonly records: JobRecord[]; readonly read: number }> {
    const records: JobRecord[] = [];
    let [read, bytes] = [0, 0];
    while (read < ids.length && bytes < mostBytes) {
      const found = await Promise.all(ids.slice(read, read + AT_ONCE).map((id) => this.job(id)));
      for (const record of found) {
        read += 1;
        if (record === null) continue;
        records.push(record);
        bytes += JSON.stringify(record).length;
        if (bytes >= mostBytes) break;
      }
    }
    return { records, read };
  }

  /** Null when it is not there. */
  async job(id: string): Promise<JobRecord | null> {
    const job = await this.#job(id);
    return job === null ? null : recordOf(job);
  }

  /** The state of a job; null when it is not there. BullMQ's own way reads all that waits. */
  async stateOf(id: string): Promise<JobState | null> {
    const job = await this.#job(id);
    if (job === null) return null;
    if (job.finishedOn !== undefined) return (await this.#read('stateOf', () => job.isFailed())) ? 'failed' : 'completed';
    if (await this.#read('stateOf', () => job.isDelayed())) return 'delayed';
    if (await this.#read('stateOf', () => job.isWaitingChildren())) return 'waiting-children';
    if ((await this.ids('active', { from: 0, to: MOST_ACTIVE - 1 })).includes(id)) return 'active';
    return job.priority > 0 ? 'prioritized' : 'waiting';
  }

  /** Lines of the log of a job from one place to another one, both included, the oldest first. */
  async log(id: string, { from, to }: JobRange): Promise<JobLog> {
    const { logs, count } = await this.#read('log', () => this.#queue.getJobLogs(id, from, to, true));
    return { lines: logs, count };
  }

  /** Has a failed job done again, as if it had never been tried. */
  retry(id: string): Promise<JobOutcome> {
    return this.#onJob('retry', id, (job) => job.retry('failed', { resetAttemptsMade: true, resetAttemptsStarted: true }));
  }

  /** Makes a delayed job due at once. */
  promote(id: string): Promise<JobOutcome> {
    return this.#onJob('promote', id, (job) => job.promote());
  }

  /** Removes a job, and with it the memory of its idempotency key. Jobs that it is the parent of stay. */
  remove(id: string): Promise<JobOutcome> {
    return this.#onJob('remove', id, (job) => job.remove({ removeChildren: false }));
  }

  /** From one place to another one, both included: the one that runs next comes first. */
  async schedulers({ from, to }: JobRange): Promise<SchedulerRecord[]> {
    const found = await this.#read('schedulers', () => this.#queue.getJobSchedulers(from, to, true));
    return found.map(schedulerRecordOf);
  }

  schedulerCount(): Promise<number> {
    return this.#read('schedulerCount', () => this.#queue.getJobSchedulersCount());
  }

  async #job(id: string): Promise<Job | null> {
    return ((await this.#read('job', () => this.#queue.getJob(id))) as Job | undefined) ?? null;
  }

  async #onJob(what: string, id: string, act: (job: Job) => Promise<void>): Promise<JobOutcome> {
    const job = await this.#job(id);
    if (job === null) return 'missing';
    return this.#act(what, () => act(job).then(() => 'done' as const, outcomeOf));
  }

  #read<T>(what: string, run: () => Promise<T>): Promise<T> {
    return runCommand({ queue: this.#queue, where: `${what}('${this.name}')`, writes: false, run });
  }

  #act<T>(what: string, run: () => Promise<T>): Promise<T> {
    return runCommand({ queue: this.#queue, where: `${what}('${this.name}')`, writes: false, isOnce: true, run });
  }
}

/** Places of a list, from 0 on. */
export interface JobRange {
  readonly from: number;
  readonly to: number;
  readonly isOldestFirst?: boolean;
}

/** @throws what is no answer about the job */
function outcomeOf(thrown: unknown): JobOutcome {
  const known = OUTCOMES.get((thrown as { code?: unknown }).code);
  if (known) return known;
  if (thrown instanceof Error && /could not be removed because it is locked/.test(thrown.message)) return 'held';
  throw thrown;
}
