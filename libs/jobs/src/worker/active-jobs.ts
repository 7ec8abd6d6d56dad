import { setMaxListeners } from 'node:events';
import { Lease, type MillraceError } from '@millrace/core';

/** Whether Redis says that a job is this worker's still; it renews the lock on the way. */
export type AskForLock = () => Promise<boolean>;

export interface ActiveJobsParts {
  /** How long a lock lasts that nobody renews. */
  readonly lockMs: number;
  /** Why a job is given up that another worker has. */
  readonly lockLost: (id: string) => MillraceError;
}

/** A job in the hands of a handler, and what takes it away from there. */
export class ActiveJob extends Lease {
  readonly id: string;
  /** Aborts when the worker begins nothing any more. */
  readonly heldUp: AbortSignal;
  /** Resolves when the worker stops: the job goes back to its queue. Never rejects. */
  readonly revoked: Promise<null>;
  readonly #parts: ActiveJobsParts;
  readonly #ask: AskForLock;
  #revoke!: (value: null) => void;
  /** A moment before which the lock was renewed, by the monotonic clock, in milliseconds. */
  #renewedAt = performance.now();

  constructor(id: string, given: { readonly heldUp: AbortSignal; readonly ask: AskForLock; readonly parts: ActiveJobsParts }) {
    super();
    this.id = id;
    this.heldUp = given.heldUp;
    this.#ask = given.ask;
    this.#parts = given.parts;
    this.revoked = new Promise((resolve) => (this.#revoke = resolve));
  }

  revoke(reason: MillraceError): void {
    this.#revoke(null);
    this.giveUp(reason);
  }

  renewed(): void {
    this.#renewedAt = performance.now();
  }

  /** Asked when the lock has half run out without being renewed, which only happens when this process stood still. */
  override async confirm(): Promise<void> {
    const { lockMs, lockLost } = this.#parts;
    if (this.isGivenUp || performance.now() - this.#renewedAt <= lockMs / 2) return;
    // Without an answer nobody knows: completing the job is fenced all the same.
    const isOurs = await this.#ask().catch(() => true);
    if (!isOurs) this.giveUp(lockLost(this.id));
  }
}

/** The jobs that handlers of this process have in their hands. */
export class ActiveJobs {
  readonly #parts: ActiveJobsParts;
  readonly #jobs = new Set<ActiveJob>();
  readonly #holding = new AbortController();

  constructor(parts: ActiveJobsParts) {
    this.#parts = parts;
    // As many jobs listen to it as are at work.
    setMaxListeners(0, this.#holding.signal);
  }

  /** Keeps the job within reach for as long as `work` runs. It is given up already once {@link refuse} was called. */
  async with<T>(id: string, ask: AskForLock, work: (active: ActiveJob) => Promise<T>): Promise<T> {
    const { signal: heldUp } = this.#holding;
    // It came again: an earlier holding of it is over, whether or not anybody was told.
    this.lost([id]);
    const active = new ActiveJob(id, { heldUp, ask, parts: this.#parts });
    if (heldUp.aborted) active.revoke(heldUp.reason as MillraceError);
    this.#jobs.add(active);
    try {
      return await work(active);
    } finally {
      this.#jobs.delete(active);
    }
  }

  /** From now on no job is begun. BullMQ may fetch one more after it was paused: a fetch that was under way. */
  refuse(reason: MillraceError): void {
    this.#holding.abort(reason);
  }

  renewed(ids: readonly string[]): void {
    for (const active of this.#jobs) if (ids.includes(active.id)) active.renewed();
  }

  /** Their locks are others' by now. */
  lost(ids: readonly string[]): void {
    for (const active of this.#jobs) if (ids.includes(active.id)) active.giveUp(this.#parts.lockLost(active.id));
  }

  revokeAll(reason: MillraceError): void {
    for (const active of this.#jobs) active.revoke(reason);
  }
}
