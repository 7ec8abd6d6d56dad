import { MillraceError } from '@millrace/core';
import { type RedisFailure, redisFailure, settlesWithin, withDeadline } from '@millrace/redis';
import { releaseConnection } from '../connection/bull-connection.js';
import { connectionFailure } from '../connection/connection-failure.js';
import type { ActiveJobs, StuckJob } from './active-jobs.js';
import type { CountedWorker } from './counted-worker.js';
import { whenCompleted } from './job-context.js';
import { paceFetches } from './paced-fetch.js';
import { WorkerHealth } from './worker-health.js';

const RESTART_PAUSE_MS = 1_000;
/** How long putting jobs back may take, and how long closing connections may take. */
const GIVE_BACK_MS = 2_000;
const CLOSE_MS = 1_000;

/**
 * A running worker of one queue.
 *
 * starting -> running -> (paused) -> stopping -> stopped. Only {@link stop} ends it: errors are reported and the worker goes on.
 */
export class JobWorker {
  readonly #worker: CountedWorker;
  readonly #active: ActiveJobs;
  readonly #health: WorkerHealth;
  readonly #ending = new AbortController();
  #loop: Promise<void> = Promise.resolve();
  #restart: NodeJS.Timeout | undefined;
  #stopped: Promise<void> | null = null;

  constructor(worker: CountedWorker, active: ActiveJobs) {
    this.#worker = worker;
    this.#active = active;
    this.#health = new WorkerHealth(worker);
    paceFetches(worker.getBackend(), { signal: this.#ending.signal, onFetched: () => this.#health.fetched() });
    worker.on('lockRenewalFailed', (ids) => active.lost(ids));
    worker.on('completed', (job) => whenCompleted.get(job)?.());
    worker.on('locksRenewed', ({ jobIds }) => active.renewed(jobIds));
  }

  /**
   * Connects and begins to fetch.
   *
   * @throws MillraceError REDIS_UNREACHABLE, REDIS_FAILED when it fails or takes longer than `timeoutMs`: then it is stopped
   */
  async start(timeoutMs: number): Promise<void> {
    const { client, blockingClient } = this.#worker.getBackend();
    try {
      const connecting = Promise.all([client, blockingClient]);
      this.#health.connected(await withDeadline(connecting, timeoutMs, () => this.#unreachable(timeoutMs)));
    } catch (error) {
      await this.stop(0);
      throw redisFailure(error, `The start of the worker of queue '${this.#worker.name}'`);
    }
    this.#run();
  }

  /** Takes no new jobs; those at work go on. The first step of stopping: there is no way back. */
  async pause(): Promise<void> {
    this.#active.refuse(stopping(this.#worker.name));
    await this.#worker.pause(true);
  }

  /**
   * Stops fetching and lets jobs at work finish until `deadlineMs` have passed. Then it aborts their signals, gives them
   * back to the queue without counting an attempt, and closes its connections. Resolves 3 seconds after the deadline at the
   * latest, Redis or not, and 3 seconds after the last job when there is none at work. May be called again: the first
   * deadline counts.
   */
  stop(deadlineMs: number): Promise<void> {
    this.#stopped ??= this.#stop(deadlineMs);
    return this.#stopped;
  }

  /** Why this worker makes no progress, or null when it is well. */
  problem(): string | null {
    if (this.#stopped) return `the worker of queue '${this.#worker.name}' is stopped`;
    return this.#health.problem() ?? this.#active.problem();
  }

  /**
   * The jobs whose handlers do not end, those at work longest first, ten at the most: at work for longer than `stuckAfterMs`,
   * or beyond their attempt, such as one that goes on after its timeout. Those have no slot any more.
   */
  stuck(): readonly StuckJob[] {
    return this.#active.stuck();
  }

  #run(): void {
    this.#loop = this.#worker.run().catch((thrown: unknown) => {
      this.#health.failed(thrown);
      if (!this.#stopped) this.#restart = setTimeout(() => this.#run(), RESTART_PAUSE_MS);
    });
  }

  /**
   * BullMQ's own `close()` waits for Redis and for handlers without an end, and cannot be hurried once it has begun. So the
   * loop is ended first, and then everything is closed by force.
   */
  async #stop(deadlineMs: number): Promise<void> {
    clearTimeout(this.#restart);
    this.#ending.abort();
    await this.pause();
    this.#interruptFetch();
    const isIdle = await settlesWithin(this.#worker.idle(), deadlineMs);
    if (!isIdle) this.#active.revokeAll(stopping(this.#worker.name));
    // Without a connection the loop waits for one, to fetch: there is nothing to wait for then.
    if (!isIdle || this.#health.isConnected) await settlesWithin(this.#loop, GIVE_BACK_MS);
    await settlesWithin(this.#worker.close(true), CLOSE_MS);
    releaseConnection(this.#worker.opts.connection);
  }

  /** The loop may be waiting for a job to come, up to 10 seconds. */
  #interruptFetch(): void {
    const interrupted = this.#worker.getBackend().disconnectBlocking(false);
    interrupted.catch((thrown: unknown) => this.#health.failed(thrown));
  }

  #unreachable(timeoutMs: number): RedisFailure {
    return connectionFailure({
      whose: `The worker of queue '${this.#worker.name}'`,
      absent: `found no Redis within ${timeoutMs / 1000} s`,
      advice: 'Start one there, or set REDIS_URL, or the option redis, to where one is.',
      reason: this.#health.failure,
    });
  }
}

function stopping(queue: string): MillraceError {
  return new MillraceError('CLOSED', `The worker of queue '${queue}' is shutting down: the job goes back to the queue, for another process.`);
}
