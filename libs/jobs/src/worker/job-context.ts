import {
  inStep, type Lease, type MemoPort, MillraceError, ownTransaction, type SqlTransaction, stepAmong, StepMemo,
  type TraceContext, type TraceHeaders,
  traceOf, type TransactionSource,
} from '@millrace/core';
import { redisFailure, withDeadline } from '@millrace/redis';
import type { Job } from 'bullmq';
import type { StoredJobOptions } from '../queue/outgoing-job.js';
import { KEPT_LOGS } from '../queue/retention.js';
import { workIdOf } from './work-id.js';

/** Jobs -> what is to be done when Redis has them as completed. */
export const whenCompleted = new WeakMap<Job, () => void>();

const REPORT_TIMEOUT_MS = 5_000;

interface JobParts {
  readonly signal: AbortSignal;
  readonly transaction?: SqlTransaction | undefined;
  readonly memo?: MemoPort | undefined;
  /** Absent where nothing can be remembered. */
  readonly lease?: Lease;
  /** Whether the handler has ended. */
  readonly isOver?: boolean;
}

/** The second argument of a job handler: everything about the job beside its payload. */
export class JobContext {
  /** The only identity of the job. It stays the same in all attempts. */
  readonly jobId: string;
  readonly queue: string;
  /** The job's name, as `@Job` has it. */
  readonly name: string;
  /** 1 for the first try; failures of the handler count, crashes do not. */
  readonly attempt: number;
  /** How often a process that worked on this job vanished before it settled it. */
  readonly crashes: number;
  readonly idempotencyKey: string | null;
  /** When the job was enqueued, by the clock of the process that enqueued it. */
  readonly enqueuedAt: Date;
  readonly #job: Job;
  readonly #own: JobParts;
  #steps: StepMemo | undefined;

  constructor(job: Job, own: JobParts) {
    const { idempotencyKey }: StoredJobOptions = job.opts;
    this.jobId = job.id ?? '';
    this.queue = job.queueName;
    this.name = job.name;
    this.attempt = job.attemptsMade + 1;
    this.crashes = job.stalledCounter;
    this.idempotencyKey = typeof idempotencyKey === 'string' ? idempotencyKey : null;
    this.enqueuedAt = new Date(job.timestamp);
    this.#job = job;
    this.#own = own;
  }

  /** The trace that the job was enqueued in; what the handler publishes or enqueues belongs to it too. */
  get trace(): TraceContext | null {
    return traceOf(this.#job.opts as TraceHeaders);
  }

  /**
   * Aborts when nothing that follows counts: stop then. Its reason is a MillraceError with the code STATE_LOST, the job was
   * taken from this process; CLOSED, the process stops and the job goes back to its queue; or TIMEOUT, the handler's `timeout`
   * has passed. Only the last counts as an attempt.
   */
  get signal(): AbortSignal {
    return this.#own.signal;
  }

  /**
   * The SQL transaction that also records the job in the inbox: what is written through it takes effect exactly when the
   * job counts as handled.
   *
   * @throws MillraceError INBOX_NOT_CONFIGURED when the handler was not made with `inbox: true`
   * @throws MillraceError INVALID_INPUT in a step of {@link once}, as do its statements there
   */
  get transaction(): SqlTransaction {
    const step = stepAmong(this.#steps);
    if (step) throw inStep(step);
    if (this.#own.transaction) return this.#own.transaction;
    throw new MillraceError(
      'INBOX_NOT_CONFIGURED',
      `ctx.transaction is there only in handlers with the inbox: add inbox: true to the @JobHandler of job '${this.name}'.`,
    );
  }

  /**
   * The same transaction in the type of the library that the option `database` names: `ctx.transactionOf(source)`, or
   * `ctx.transactionOf<EntityManager>()` where the source is out of reach.
   *
   * @throws MillraceError INBOX_NOT_CONFIGURED without the inbox, or when the database is named by a URL
   * @throws MillraceError INVALID_INPUT the transaction is of another source
   */
  transactionOf<Transaction>(source?: TransactionSource<Transaction>): Transaction {
    return ownTransaction(this.transaction, source);
  }

  /**
   * Runs a step of the handler, and remembers its result as JSON: another attempt, and another process, skip a step that is done,
   * and get the result that was stored first. It is kept until the job is completed, for 7 days at the most. Calls with the same
   * name in one attempt run the step once. A step that throws is not remembered. A process that dies between the step and its
   * record repeats the step.
   *
   * @param step 1 to 256 bytes of UTF-8; 100 names a job at the most
   * @throws MillraceError MEMO_TOO_LARGE, UNSERIALIZABLE_PAYLOAD the step ran, and is not remembered; MEMO_FULL, INVALID_INPUT;
   *   STATE_LOST, CLOSED the job is this process's no more, or the handler has ended; TIMEOUT its time is over: the step
   *   was not run
   */
  async once<T>(step: string, run: () => T | Promise<T>): Promise<T> {
    this.#steps ??= this.#newSteps();
    return this.#steps.once(step, run);
  }

  #newSteps(): StepMemo {
    const { memo, lease, transaction, signal } = this.#own;
    if (!memo || !lease) {
      throw new MillraceError('MEMO_NOT_CONFIGURED', `ctx.once(): nothing is remembered of job '${this.name}' here, so the step was not run.`);
    }
    const id = workIdOf(this.#job);
    whenCompleted.set(this.#job, () => memo.forget(id));
    return new StepMemo({ memo, id, lease, signal, isOver: () => this.#own.isOver === true, transaction });
  }

  /**
   * Stores how far the job is, for dashboards: a number from 0 to 100, or an object.
   *
   * @throws MillraceError REDIS_UNREACHABLE after 5 seconds, REDIS_FAILED
   */
  progress(progress: number | object): Promise<void> {
    return this.#report('ctx.progress()', this.#job.updateProgress(progress));
  }

  /**
   * Adds a line to the job's log; the last 100 are kept with the job.
   *
   * @throws MillraceError REDIS_UNREACHABLE after 5 seconds, REDIS_FAILED
   */
  log(line: string): Promise<void> {
    this.#job.opts.keepLogs ??= KEPT_LOGS;
    return this.#report('ctx.log()', this.#job.log(line));
  }

  async #report(where: string, report: Promise<unknown>): Promise<void> {
    try {
      await withDeadline(report, REPORT_TIMEOUT_MS, () => new Error(`timed out after ${REPORT_TIMEOUT_MS / 1000} s`));
    } catch (thrown) {
      throw redisFailure(thrown, where);
    }
  }
}
