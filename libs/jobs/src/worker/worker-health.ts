import { emit, errorRecord, MillraceError } from '@millrace/core';
import type { Job, Worker } from 'bullmq';
import { workerFailure } from './worker-failure.js';

interface Connected {
  readonly status: string;
}

/** Reports the failures of a worker, as events and as its present problem. */
export class WorkerHealth {
  readonly #queue: string;
  #connections: readonly Connected[] = [];
  #failure: string | null = null;
  #failures = 0;
  #fenced: string | null = null;

  constructor(worker: Worker) {
    this.#queue = worker.name;
    worker.on('error', (error) => this.failed(error));
    worker.on('active', (job) => this.#onActive(job.id));
    worker.on('failed', (job) => job?.deferredFailure && this.#onCrashLoop(job));
    worker.on('stalled', () => emit('reclaimed', { queue: worker.name, count: 1 }));
  }

  /** The message of the last failure, until something succeeds. */
  get failure(): string | null {
    return this.#failure;
  }

  connected(connections: readonly (Connected | undefined)[]): void {
    this.#connections = connections.filter((connection) => connection !== undefined);
  }

  get isConnected(): boolean {
    return this.#connections.every(({ status }) => status === 'ready');
  }

  /** Redis answered a fetch: all is well. */
  fetched(): void {
    this.#failure = null;
    this.#failures = 0;
  }

  failed(thrown: unknown): void {
    const failure = workerFailure(thrown);
    if (failure.kind === 'fenced') this.#onFenced(failure.jobId);
    if (failure.kind !== 'failed') return;
    this.#failure = failure.error.message;
    this.#failures += 1;
    emit('loop-failed', { queue: this.#queue, loop: 'job-worker', error: errorRecord(failure.error), failures: this.#failures });
  }

  /** Why the worker makes no progress, or null when it is well. */
  problem(): string | null {
    const broken = this.#connections.find(({ status }) => status !== 'ready');
    const said = this.#failure ? `: ${this.#failure}` : '';
    if (broken) return `the worker of queue '${this.#queue}' has no connection to Redis (${broken.status})${said}`;
    return this.#failure ? `the worker of queue '${this.#queue}' fails${said}` : null;
  }

  /** BullMQ reports a refused completion twice, because it tries to fail the job next. */
  #onFenced(jobId: string): void {
    if (this.#fenced === jobId) return;
    this.#fenced = jobId;
    emit('fenced', { queue: this.#queue, messageId: jobId });
  }

  #onActive(jobId: string | undefined): void {
    this.fetched();
    if (this.#fenced === jobId) this.#fenced = null;
  }

  #onCrashLoop({ id = '', attemptsMade, stalledCounter }: Job): void {
    const error = errorRecord(
      new MillraceError('CRASH_LOOP', `${stalledCounter} processes vanished while they worked on this job: it is given up.`),
    );
    emit('attempt-failed', { queue: this.#queue, messageId: id, attempt: attemptsMade, error, outcome: 'dead-letter' });
  }
}
