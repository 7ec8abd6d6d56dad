import type { OutgoingCall } from '../call/outgoing-call.js';
import type { Candidate } from './candidate.js';
import type { Pool } from './pool.js';

/** A call on its way through the policies of its client, which fill in where it goes. */
export class Outbound {
  /** The call as it is sent next. */
  call: OutgoingCall;
  /** The instances that it may go to; null before it was routed. */
  pool: Pool | null = null;
  /** The instance that was chosen for this attempt; null: whichever is free takes it. */
  target: Candidate | null = null;
  /** Instances at which it failed. */
  tried: Set<Candidate> | null = null;
  /** The instance that the caller named. */
  readonly named: string | undefined;
  /** The error of the latest attempt that may have run; null while none may have. */
  doubt: unknown = null;
  /** Opens when the first item of a streamed answer has come; null for one answer. */
  begun: Gate | null = null;
  readonly #endsAtMs: number;
  #isGivenUp = false;
  #endWait: (() => void) | null = null;

  constructor(call: OutgoingCall) {
    this.call = call;
    this.named = call.instance;
    this.#endsAtMs = performance.now() + call.timeoutMs;
  }

  static ofStream(call: OutgoingCall): Outbound {
    const outbound = new Outbound(call);
    outbound.begun = newGate();
    return outbound;
  }

  /** How many milliseconds are left for all attempts together. */
  get remainingMs(): number {
    return this.#endsAtMs - performance.now();
  }

  /** Time has passed: the call has what is left of it, and no more than that. */
  shorten(mostMs = Number.POSITIVE_INFINITY): void {
    const timeoutMs = Math.ceil(Math.min(mostMs, this.remainingMs));
    this.call = { ...this.call, timeoutMs };
  }

  /**
   * Resolves when the work is done, when its time is over, or when its caller gives it up: who sends it then is told so.
   *
   * @param work null: only time passes
   * @param forMs how long to wait at the most
   * @returns whether the work is done
   */
  async wait(work: Promise<void> | null, forMs = this.remainingMs): Promise<boolean> {
    const { signal } = this.call;
    if (signal?.aborted || this.#isGivenUp) return false;
    const { opened: ended, open: end } = newGate();
    this.#endWait = end;
    const timer = setTimeout(end, Math.max(0, forMs));
    signal?.addEventListener('abort', end);
    try {
      return (await (work === null ? ended : Promise.race([work, ended]))) !== null;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener('abort', end);
    }
  }

  /** Nobody wants the call any more: it waits for nothing. */
  giveUp(): void {
    this.#isGivenUp = true;
    this.#endWait?.();
  }
}

/** A promise, and what resolves it. */
interface Gate {
  readonly opened: Promise<null>;
  readonly open: () => void;
}

function newGate(): Gate {
  let open!: () => void;
  const opened = new Promise<null>((resolve) => (open = () => resolve(null)));
  return { opened, open };
}

/** Sends a call. It never throws: it rejects. */
export type Send = (outbound: Outbound) => Promise<string | null>;

/** Puts one policy around the sending of a call. */
export type Policy = (next: Send) => Send;

/** As `finally` does, at a third of its cost. */
export function ended<T>(work: Promise<T>, end: () => unknown): Promise<T> {
  return work.then(
    (value) => {
      end();
      return value;
    },
    (error: unknown) => {
      end();
      throw error;
    },
  );
}
