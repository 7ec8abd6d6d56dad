import { Lease, type MillraceError } from '@millrace/core';

/** A job that a worker fetched. */
export interface HeldJob {
  readonly id: string;
  /** The job's name, as `@Job` has it. */
  readonly name: string;
  /** Whether Redis says that the job still belongs to this worker; the question also renews the lock. */
  readonly askForLock: () => Promise<boolean>;
}

/** The terms on which a worker holds its jobs. */
export interface HoldingTerms {
  /** Aborts when the worker begins nothing any more. */
  readonly paused: AbortSignal;
  /** How long a lock lasts when nobody renews it. */
  readonly lockMs: number;
  /** The error when a job belongs to another worker. */
  readonly lockLost: (id: string) => MillraceError;
}

/** A job that a handler works on, and the events that take it away from the handler. */
export class ActiveJob extends Lease {
  /** Whether its handler has begun and not ended: it may go on when the attempt is over. */
  isHandled = false;
  readonly #job: HeldJob;
  readonly #terms: HoldingTerms;
  readonly #begunAt = Date.now();
  readonly #begunAtMs = performance.now();
  /** A moment before which the lock was renewed, by the monotonic clock, in milliseconds. */
  #renewedAtMs = this.#begunAtMs;
  #isRevoked = false;
  #goBack: ((value: null) => void) | null = null;

  constructor(job: HeldJob, terms: HoldingTerms) {
    super();
    this.#job = job;
    this.#terms = terms;
  }

  get id(): string {
    return this.#job.id;
  }

  get name(): string {
    return this.#job.name;
  }

  get paused(): AbortSignal {
    return this.#terms.paused;
  }

  /** By the clock of this process. */
  get begunAt(): Date {
    return new Date(this.#begunAt);
  }

  get ageMs(): number {
    return performance.now() - this.#begunAtMs;
  }

  /** The outcome of an attempt, or null as soon as the worker stops: the job goes back to its queue then. */
  until<T>(attempt: Promise<T>): Promise<T | null> {
    return new Promise((resolve, reject) => {
      this.#goBack = resolve;
      if (this.#isRevoked) resolve(null);
      attempt.then(resolve, reject);
    });
  }

  revoke(reason: MillraceError): void {
    this.#isRevoked = true;
    this.#goBack?.(null);
    this.giveUp(reason);
  }

  renewed(): void {
    this.#renewedAtMs = performance.now();
  }

  /** Another worker has it. */
  lost(): void {
    this.giveUp(this.#terms.lockLost(this.id));
  }

  /** Checks when the lock has half run out without being renewed, which only happens when this process stood still. */
  override async confirm(): Promise<void> {
    if (this.isGivenUp || performance.now() - this.#renewedAtMs <= this.#terms.lockMs / 2) return;
    // Without an answer the job stays: its completion is fenced all the same.
    const isOurs = await this.#job.askForLock().catch(() => true);
    if (!isOurs) this.lost();
  }
}
