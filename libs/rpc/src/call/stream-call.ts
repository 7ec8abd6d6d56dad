import type { MethodCounts } from '../monitor/method-counts.js';
import type { IncomingStream } from './incoming-stream.js';
import type { OutgoingCall } from './outgoing-call.js';
import { PendingCall } from './pending-call.js';

/** A call with a streamed answer. It is settled when the answer has ended, or when its consumer has enough. */
export class StreamCall extends PendingCall {
  readonly incoming: IncomingStream;
  override readonly window: number;
  /** The execution whose items it takes: the first that it hears of. */
  run: string | null = null;
  /** The member name of the instance that serves it. */
  member: string | null = null;
  /** How many looks in a row found nothing that was heard of it. */
  silentFor = 0;
  /** Since when nobody may be serving it, by `performance.now()`. */
  doubtfulSinceMs: number | null = null;

  constructor(options: OutgoingCall, counts: MethodCounts, incoming: IncomingStream) {
    super(options, counts, { resolve: () => incoming.end(null), reject: (error) => incoming.end(error) });
    this.incoming = incoming;
    this.window = incoming.window;
  }

  override giveUp(error: Error): void {
    this.incoming.giveUp(error);
  }

  /** The one instance that can have begun it, if that is known. */
  get servedBy(): string | undefined {
    return this.member ?? this.options.instance;
  }
}
