import type { PendingCall } from './pending-call.js';

/** Calls whose deadlines lie in the same span of this length end together, at its end. */
export const SPAN_MS = 10;

/**
 * The deadlines of any number of calls, without a timer for each. Calls with about the same deadline are a linked list: one is
 * added and removed in constant time, and nothing of a settled call stays.
 */
export class Deadlines {
  /** Number of the span -> the first call of it. */
  readonly #spans = new Map<number, PendingCall | null>();

  add(call: PendingCall): void {
    const span = spanOf(call);
    const first = this.#spans.get(span) ?? null;
    call.next = first;
    if (first !== null) first.previous = call;
    this.#spans.set(span, call);
  }

  remove(call: PendingCall): void {
    const { previous, next } = call;
    if (next !== null) next.previous = previous;
    if (previous !== null) previous.next = next;
    else if (next === null) this.#spans.delete(spanOf(call));
    else this.#spans.set(spanOf(call), next);
    call.previous = null;
    call.next = null;
  }

  /** The calls whose time is over. */
  due(nowMs: number): PendingCall[] {
    const due: PendingCall[] = [];
    for (const [span, first] of this.#spans) {
      if (span * SPAN_MS > nowMs) continue;
      for (let call = first; call !== null; call = call.next) due.push(call);
    }
    return due;
  }
}

function spanOf({ deadlineAtMs }: PendingCall): number {
  return Math.ceil(deadlineAtMs / SPAN_MS);
}
