import { setMaxListeners } from 'node:events';

/** A job in the hands of a handler, and what takes it away from there. */
export class ActiveJob {
  readonly id: string;
  /** Aborts when the worker begins nothing any more. */
  readonly heldUp: AbortSignal;
  /** Resolves when the worker stops: the job goes back to its queue. Never rejects. */
  readonly revoked: Promise<null>;
  #revoke!: (value: null) => void;
  #isRevoked = false;
  #reason: Error | null = null;
  #controller: AbortController | null = null;

  constructor(id: string, heldUp: AbortSignal) {
    this.id = id;
    this.heldUp = heldUp;
    this.revoked = new Promise((resolve) => (this.#revoke = resolve));
  }

  get isRevoked(): boolean {
    return this.#isRevoked;
  }

  /** Made when it is first asked for: most handlers never do, and a controller costs as much as validating a small payload. */
  get signal(): AbortSignal {
    this.#controller ??= new AbortController();
    if (this.#reason) this.#controller.abort(this.#reason);
    return this.#controller.signal;
  }

  abort(reason: Error): void {
    this.#reason ??= reason;
    this.#controller?.abort(this.#reason);
  }

  revoke(reason: Error): void {
    this.#isRevoked = true;
    this.#revoke(null);
    this.abort(reason);
  }
}

/** The jobs that handlers of this process have in their hands. */
export class ActiveJobs {
  readonly #jobs = new Set<ActiveJob>();
  readonly #holding = new AbortController();

  constructor() {
    // As many jobs listen to it as are at work.
    setMaxListeners(0, this.#holding.signal);
  }

  /** Keeps the job within reach for as long as `work` runs. It is revoked already once {@link refuse} was called. */
  async with<T>(id: string, work: (active: ActiveJob) => Promise<T>): Promise<T> {
    const { signal } = this.#holding;
    const active = new ActiveJob(id, signal);
    if (signal.aborted) active.revoke(signal.reason as Error);
    this.#jobs.add(active);
    try {
      return await work(active);
    } finally {
      this.#jobs.delete(active);
    }
  }

  /** From now on no job is begun. BullMQ may fetch one more after it was paused: a fetch that was under way. */
  refuse(reason: Error): void {
    this.#holding.abort(reason);
  }

  abort(id: string, reason: Error): void {
    for (const active of this.#jobs) if (active.id === id) active.abort(reason);
  }

  revokeAll(reason: Error): void {
    for (const active of this.#jobs) active.revoke(reason);
  }
}
