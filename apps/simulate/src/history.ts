import type { Delivery, Outcome } from '@millrace/core';
import type { PlannedMessage } from './plan.js';

/** One call of the handler. */
export interface Call {
  readonly value: number;
  readonly process: string;
  readonly key: string | null;
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
  /** Messages of its key that handlers had when it began, which nothing had told to stop, or kept from being told. */
  readonly beside: readonly number[];
}

/** A process as far as its calls are about it. */
export interface Caller {
  readonly name: string;
  /** Whether others may have taken it for dead, and it may not know that yet. */
  readonly isAway: boolean;
}

interface Running {
  readonly call: Call;
  readonly caller: Caller;
  readonly lease: Delivery['lease'];
}

/** The calls and publishes that were seen: the input of the invariants. */
export class History {
  readonly attempted = new Set<number>();
  readonly acknowledged = new Set<number>();
  readonly calls: Call[] = [];
  /** Processes that others may have taken for dead: killed, frozen, or cut off. */
  presumedDeaths = 0;
  /** How often a settlement was sent again, since its answer was lost. */
  settledAgain = 0;
  /** Publishes with a key that were confirmed at the first try, by process and key. */
  readonly sequences = new Map<string, { readonly value: number; readonly askedAt: number }[]>();
  #moment = 0;
  readonly #running = new Set<Running>();

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
  begin(caller: Caller, { message, partition, offset, attempt, crashes, lease }: Delivery, isAfterEnd: boolean): Call {
    const { v: value } = message.payload as { v: number };
    const { key } = message;
    const call: Call = {
      value, process: caller.name, key, place: { partition, offset }, attempt, crashes,
      beganAt: this.moment(), endedAt: null, outcome: null, isAfterEnd, beside: this.#besideOf(key),
    };
    this.calls.push(call);
    this.#running.add({ call, caller, lease });
    return call;
  }

  end(call: Call, outcome: Outcome['kind']): void {
    call.endedAt = this.moment();
    call.outcome = outcome;
  }

  #besideOf(key: string | null): number[] {
    const beside: number[] = [];
    for (const running of this.#running) {
      const { call, caller, lease } = running;
      if (call.endedAt !== null) this.#running.delete(running);
      else if (call.key === key && !caller.isAway && !lease.isGivenUp) beside.push(call.value);
    }
    return beside;
  }
}
