import { Deadlines, SPAN_MS } from './deadlines.js';
import type { PendingCall } from './pending-call.js';

/** The calls of this process that are not settled, by their correlation. */
export class PendingCalls {
  readonly #calls = new Map<number, PendingCall>();
  readonly #deadlines = new Deadlines();
  readonly #onDue: (call: PendingCall) => void;
  /** Asked while no call is pending; true ends the ticks until the next call. */
  readonly #onTick: () => boolean;
  #lastCorrelation = 0;
  #timer: NodeJS.Timeout | null = null;

  constructor({ onDue, onTick }: { readonly onDue: (call: PendingCall) => void; readonly onTick: () => boolean }) {
    this.#onDue = onDue;
    this.#onTick = onTick;
  }

  get size(): number {
    return this.#calls.size;
  }

  get all(): PendingCall[] {
    return [...this.#calls.values()];
  }

  add(call: PendingCall): void {
    this.#lastCorrelation += 1;
    call.correlation = this.#lastCorrelation;
    this.#calls.set(call.correlation, call);
    this.#deadlines.add(call);
    this.#timer ??= setInterval(() => this.#tick(), SPAN_MS);
  }

  get(correlation: number): PendingCall | undefined {
    return this.#calls.get(correlation);
  }

  /** Whether a call of this process has, or had, this correlation. */
  wasGiven(correlation: number): boolean {
    return correlation >= 1 && correlation <= this.#lastCorrelation;
  }

  /** Marks the call as settled, and lets go of it. */
  settle(call: PendingCall): void {
    call.isSettled = true;
    this.#calls.delete(call.correlation);
    this.#deadlines.remove(call);
    call.unlisten?.();
    call.unlisten = null;
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  #tick(): void {
    if (this.#calls.size > 0) for (const call of this.#deadlines.due(performance.now())) this.#onDue(call);
    if (this.#onTick() && this.#calls.size === 0) this.stop();
  }
}
