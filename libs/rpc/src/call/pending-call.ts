import type { MethodCounts } from '../monitor/method-counts.js';
import type { OutgoingCall } from './outgoing-call.js';

type Resolve = (text: string | null) => void;
type Reject = (error: Error) => void;

export interface Ends {
  readonly resolve: Resolve;
  readonly reject: Reject;
}

/** A call that is not settled; the options are those of its caller. States: open -> settled, once. */
export class PendingCall {
  readonly options: OutgoingCall;
  readonly resolve: Resolve;
  readonly reject: Reject;
  /** The counts of its method. */
  readonly counts: MethodCounts;
  /** When its time is over, by `performance.now()`. */
  readonly deadlineAtMs: number;
  /** How many items of a streamed answer may be sent ahead; 0 for one answer. */
  readonly window: number = 0;
  correlation = 0;
  isSettled = false;
  /** Settled by its caller or its deadline, and not by an answer: its request is to be withdrawn. */
  isGivenUp = false;
  /** Its request was sent, and Redis may yet say that it has it. */
  isOnItsWay = false;
  /** Redis may have its request, and did not say so. */
  mayBeSent = false;
  /** The entry of its request; null while it is not known. */
  entryId: string | null = null;
  /** Its neighbours among the calls with about the same deadline. */
  previous: PendingCall | null = null;
  next: PendingCall | null = null;
  /** Stops listening to its signal. */
  unlisten: (() => void) | null = null;

  constructor(options: OutgoingCall, counts: MethodCounts, { resolve, reject }: Ends) {
    this.options = options;
    this.counts = counts;
    this.resolve = resolve;
    this.reject = reject;
    this.deadlineAtMs = performance.now() + options.timeoutMs;
  }

  /** How long ago it was made. */
  get ageMs(): number {
    return performance.now() - this.deadlineAtMs + this.options.timeoutMs;
  }

  /** Its caller, its deadline, or its process wants no answer any more. */
  giveUp(error: Error): void {
    this.reject(error);
  }
}
