import { HandlerTimeoutError } from '../errors.js';

/**
 * Runs `work` until it ends or its time is over. Its signal aborts with the error then, and with whatever `lease` aborts
 * with. Work that outlives its time goes on unobserved: JavaScript cannot be stopped from outside.
 *
 * @throws HandlerTimeoutError (TIMEOUT)
 */
export async function withinLimit(
  timeoutMs: number,
  lease: AbortSignal,
  work: (signal: AbortSignal) => unknown,
): Promise<unknown> {
  const limit = new TimeLimit(timeoutMs, lease);
  try {
    return await Promise.race([work(limit.signal), limit.exceeded]);
  } finally {
    limit.end();
  }
}

/** Leaves nothing behind on the signal of the lease, which `AbortSignal.any` would do. */
class TimeLimit {
  readonly exceeded: Promise<never>;
  readonly #abort = new AbortController();
  readonly #lease: AbortSignal;
  readonly #leaseLost = (): void => this.#abort.abort(this.#lease.reason);
  #timer: NodeJS.Timeout | undefined;

  constructor(timeoutMs: number, lease: AbortSignal) {
    this.#lease = lease;
    if (lease.aborted) this.#leaseLost();
    else lease.addEventListener('abort', this.#leaseLost);
    this.exceeded = new Promise((_, reject) => {
      this.#timer = setTimeout(() => {
        const error = new HandlerTimeoutError(timeoutMs);
        // First, so that what the handler throws because of the signal comes second.
        reject(error);
        this.#abort.abort(error);
      }, timeoutMs);
    });
  }

  get signal(): AbortSignal {
    return this.#abort.signal;
  }

  end(): void {
    clearTimeout(this.#timer);
    this.#lease.removeEventListener('abort', this.#leaseLost);
  }
}
