import { type TraceContext, traceOf } from '../trace/trace-context.js';
import type { CheckedHalf } from './half-port.js';

/** The second argument of a handler of checks: everything about the half message beside its payload. */
export class TransactionCheckContext {
  readonly messageId: string;
  readonly key: string | null;
  readonly idempotencyKey: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly topic: string;
  /** The name of its type among those of the topic; null when the topic has no types. */
  readonly type: string | null;
  readonly partition: number;
  /** When it was stored, by Redis's clock. */
  readonly storedAt: Date;
  /** 1 for the first check. */
  readonly check: number;
  /** Aborts when the time for the answer is up, or the process stops: what is answered afterwards does not count. */
  readonly signal: AbortSignal;

  constructor(topic: string, { message, partition, storedAt, check, signal }: CheckedHalf) {
    this.messageId = message.id;
    this.key = message.key;
    this.idempotencyKey = message.idempotencyKey;
    this.headers = message.headers;
    this.topic = topic;
    this.type = message.type;
    this.partition = partition;
    this.storedAt = storedAt;
    this.check = check;
    this.signal = signal;
  }

  /** The trace that the message belongs to. */
  get trace(): TraceContext | null {
    return traceOf(this.headers);
  }
}
