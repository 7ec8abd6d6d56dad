import type { ErrorCode } from '@millrace/core';
import { type Latency, LatencyCounts } from './latency.js';

/** The figures of one method, as one process has counted them since it started. */
export interface MethodFigures {
  /** Whether this process makes the calls, or answers them. */
  readonly side: 'caller' | 'server';
  readonly service: string;
  readonly version: string;
  readonly method: string;
  /** Calls that were begun: those in flight included. */
  readonly calls: number;
  readonly inFlight: number;
  /** Calls that ended with an error, by its code. */
  readonly failed: Readonly<Partial<Record<ErrorCode, number>>>;
  /** For callers until the call is settled, for servers from the beginning of the method until its end. */
  readonly latency: Latency;
  /**
   * For servers: how many calls each process made, by the name that it has in Redis. The earliest of more than 256 count
   * together, as `others`. Calls whose results are fetched later count as `later`: they name no process.
   */
  readonly callers: Readonly<Record<string, number>>;
}

export type MethodSubject = Pick<MethodFigures, 'side' | 'service' | 'version' | 'method'>;

const MOST_CALLERS = 256;
const OTHERS = 'others';
/** Stands for the callers of calls whose results are fetched later, each of which has an inbox of its own. */
export const LATER = 'later';

/** Counts the calls of one method. */
export class MethodCounts {
  readonly #subject: MethodSubject;
  readonly #failed = new Map<ErrorCode, number>();
  readonly #latency = new LatencyCounts();
  readonly #callers = new Map<string, number>();
  /** Calls of processes that are not among the callers any more. */
  #others = 0;
  #calls = 0;
  #inFlight = 0;

  constructor(subject: MethodSubject) {
    this.#subject = subject;
  }

  /** @param caller '' where it is this process */
  begun(caller: string): void {
    this.#calls += 1;
    this.#inFlight += 1;
    if (caller === '') return;
    const known = this.#callers.get(caller);
    if (known === undefined && this.#callers.size >= MOST_CALLERS) this.#forgetEarliest();
    this.#callers.set(caller, (known ?? 0) + 1);
  }

  /** Processes come and go: that which came first may be gone. */
  #forgetEarliest(): void {
    for (const [caller, count] of this.#callers) {
      this.#callers.delete(caller);
      this.#others += count;
      return;
    }
  }

  /** @param code of the error; null when there is none */
  ended(ms: number, code: ErrorCode | null): void {
    this.#inFlight -= 1;
    this.#latency.add(ms);
    if (code !== null) this.#failed.set(code, (this.#failed.get(code) ?? 0) + 1);
  }

  read(): MethodFigures {
    return {
      ...this.#subject,
      calls: this.#calls,
      inFlight: this.#inFlight,
      failed: Object.fromEntries(this.#failed),
      latency: this.#latency.read(),
      callers: { ...Object.fromEntries(this.#callers), ...(this.#others > 0 ? { [OTHERS]: this.#others } : {}) },
    };
  }
}
