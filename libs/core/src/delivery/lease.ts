import { setMaxListeners } from 'node:events';
import type { MillraceError } from '../errors.js';
import type { Outcome } from './outcome.js';

/** The hold of this process on the messages that a handler works on: held -> given up, once and for good. */
export class Lease {
  #reason: MillraceError | null = null;
  #abort: AbortController | null = null;

  /** Whether it is given up: its handler decides nothing any more. */
  get isGivenUp(): boolean {
    return this.#reason !== null;
  }

  /**
   * Aborts when it is given up, with a MillraceError as its reason: CLOSED when its process stops, STATE_LOST when it is
   * another's. Made when it is asked for: few handlers do, and a controller costs as much as validating a small payload.
   */
  get signal(): AbortSignal {
    this.#abort ??= newController();
    if (this.#reason) this.#abort.abort(this.#reason);
    return this.#abort.signal;
  }

  /** The first reason counts. */
  giveUp(reason: MillraceError): void {
    this.#reason ??= reason;
    this.#abort?.abort(this.#reason);
  }

  /** Resolves when so many milliseconds have passed, or when it is given up. */
  passed(ms: number): Promise<void> {
    const { signal } = this;
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        signal.removeEventListener('abort', end);
        resolve();
      };
      const timer = setTimeout(end, ms);
      signal.addEventListener('abort', end);
      if (this.isGivenUp) end();
    });
  }

  /**
   * Checks the lease before something is made final that no fence guards, and gives it up when it is another's by now. Where
   * nothing can be asked, the lease stays as it is. Never rejects.
   */
  confirm(): Promise<void> {
    return Promise.resolve();
  }
}

/** The messages of an entry share a lease, and so do all that a broadcast handles. */
function newController(): AbortController {
  const abort = new AbortController();
  setMaxListeners(Infinity, abort.signal);
  return abort;
}

const RELEASED: Outcome = { kind: 'release' };

/** A handler whose lease was given up decides nothing, whatever it returned or threw. */
export function decided(lease: Lease, outcome: Outcome): Outcome {
  return lease.isGivenUp ? RELEASED : outcome;
}
