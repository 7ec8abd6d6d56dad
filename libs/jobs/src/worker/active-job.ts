import { Lease, type MillraceError } from '@millrace/core';

export interface ActiveJobParts {
  readonly id: string;
  /** The job's name, as `@Job` has it. */
  readonly name: string;
  /** Aborts when the worker begins nothing any more. */
  readonly paused: AbortSignal;
  /** How long its lock lasts when nobody renews it. */
  readonly lockMs: number;
  /** Whether Redis says that the job still belongs to this worker; the question also renews the lock. */
  readonly askForLock: () => Promise<boolean>;
  /** The error when it does not. */
  readonly lockLost: (id: string) => MillraceError;
}

/** A job that a handler works on, and the events that take it away from the handler. */
export class ActiveJob extends Lease {
  /** Resolves when the worker stops: the job goes back to its queue. Never rejects. */
  readonly revoked: Promise<null>;
  readonly begunAt = new Date();
  readonly #parts: ActiveJobParts;
  readonly #begunAtMs = performance.now();
  #revoke!: (value: null) => void;
  /** A moment before which the lock was renewed, by the monotonic clock, in milliseconds. */
  #renewedAtMs = this.#begunAtMs;

  constructor(parts: ActiveJobParts) {
    super();
    this.#parts = parts;
    this.revoked = new Promise((resolve) => (this.#revoke = resolve));
  }

  get id(): string {
    return this.#parts.id;
  }

  get name(): string {
    return this.#parts.name;
  }

  get paused(): AbortSignal {
    return this.#parts.paused;
  }

  get ageMs(): number {
    return performance.now() - this.#begunAtMs;
  }

  revoke(reason: MillraceError): void {
    this.#revoke(null);
    this.giveUp(reason);
  }

  renewed(): void {
    this.#renewedAtMs = performance.now();
  }

  /** Another worker has it. */
  lost(): void {
    this.giveUp(this.#parts.lockLost(this.id));
  }

  /** Checks when the lock has half run out without being renewed, which only happens when this process stood still. */
  override async confirm(): Promise<void> {
    if (this.isGivenUp || performance.now() - this.#renewedAtMs <= this.#parts.lockMs / 2) return;
    // Without an answer the job stays: its completion is fenced all the same.
    const isOurs = await this.#parts.askForLock().catch(() => true);
    if (!isOurs) this.lost();
  }
}
