import type { Delivery, Outcome } from '@millrace/core';
import type { PlannedMessage } from './plan.js';

/** One call of the handler. */
export interface Call {
  readonly value: number;
  readonly process: string;
  readonly place: { readonly partition: number; readonly offset: number };
  readonly attempt: number;
  readonly crashes: number;
  /** Its place in the order of all events of the history. */
  readonly beganAt: number;
  /** Null while it runs, and for ever when its process dies. */
  endedAt: number | null;
  outcome: Outcome['kind'] | null;
  /** Whether Redis had its message for settled when it began, though nothing had kept its process from knowing. */
  readonly isAfterEnd: boolean;
}

/** The calls and publishes that were seen: the input of the invariants. */
export class History {
  readonly attempted = new Set<number>();
  readonly acknowledged = new Set<number>();
  readonly calls: Call[] = [];
  /** Processes that others may have taken for dead: killed, frozen, or cut off. */
  presumedDeaths = 0;
  /** Publishes with a key that were confirmed at the first try, by process and key. */
  readonly sequences = new Map<string, { readonly value: number; readonly askedAt: number }[]>();
  #moment = 0;

  /** The next place in the order of events. */
  moment(): number {
    return (this.#moment += 1);
  }

  /** A publish was confirmed at the first try. @param askedAt its place in the order of events */
  storedAtOnce({ value, key }: PlannedMessage, process: string, askedAt: number): void {
    if (key === null) return;
    const name = `${process} ${key}`;
    this.sequences.set(name, [...(this.sequences.get(name) ?? []), { value, askedAt }]);
  }

  /** @param isAfterEnd as in {@link Call} */
  begin(process: string, { message, partition, offset, attempt, crashes }: Delivery, isAfterEnd: boolean): Call {
    const { v: value } = message.payload as { v: number };
    const call: Call = {
      value, process, place: { partition, offset }, attempt, crashes,
      beganAt: this.moment(), endedAt: null, outcome: null, isAfterEnd,
    };
    this.calls.push(call);
    return call;
  }

  end(call: Call, outcome: Outcome['kind']): void {
    call.endedAt = this.moment();
    call.outcome = outcome;
  }
}
