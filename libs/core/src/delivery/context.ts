import type { TopicOf } from '../contract/defined-topic.js';
import type { PayloadClass } from '../contract/topic.js';
import { MillraceError } from '../errors.js';
import { messageTimeMs } from '../message-id.js';
import type { PublishOptions } from '../publish/publish-options.js';
import { type TraceContext, traceOf } from '../trace/trace-context.js';
import type { Delivery } from './delivery.js';
import type { Forwards } from './forwards.js';
import type { SqlTransaction } from './sql-transaction.js';

interface ContextParts {
  /** The signal of its time limit. Default: the signal of the delivery. */
  readonly limit?: AbortSignal | undefined;
  readonly transaction?: SqlTransaction | undefined;
  /** Messages and jobs that go out with the outcome. Absent: nothing can. It may throw FORWARD_REFUSED. */
  readonly opened?: Forwards;
}

const NOTHING: ContextParts = {};

/** The second argument of a message handler: everything about the message beside its payload. */
export class DeliveryContext {
  readonly messageId: string;
  readonly key: string | null;
  readonly idempotencyKey: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly topic: string;
  readonly partition: number;
  /** Dense number of the message in its partition, from 0. */
  readonly offset: number;
  readonly group: string;
  /** 1 for the first try; failures of the handler count, crashes do not. */
  readonly attempt: number;
  /** How often a process vanished with this message: one that held it, from the second time on one that had begun it. */
  readonly crashes: number;
  /** True when the group was set back to before this message: it may have been handled then, whatever the attempt says. */
  readonly replayed: boolean;
  /** How often this message was redriven: put back after a group had given it up. 0 as a rule. */
  readonly redriven: number;
  readonly #delivery: Delivery;
  readonly #own: ContextParts;

  constructor(delivery: Delivery, own: ContextParts = NOTHING) {
    const { message } = delivery;
    this.messageId = message.id;
    this.key = message.key;
    this.idempotencyKey = message.idempotencyKey;
    this.headers = message.headers;
    this.topic = delivery.topic;
    this.partition = delivery.partition;
    this.offset = delivery.offset;
    this.group = delivery.group;
    this.attempt = delivery.attempt;
    this.crashes = delivery.crashes;
    this.replayed = delivery.replayed;
    this.redriven = message.redrive?.times ?? 0;
    this.#delivery = delivery;
    this.#own = own;
  }

  /** When the message was published, by the publisher's clock. */
  get publishedAt(): Date {
    return new Date(messageTimeMs(this.messageId));
  }

  /**
   * Aborts when nothing that follows counts: stop then. Its reason is a MillraceError with the code STATE_LOST, the message
   * was taken away from this process; CLOSED, the process stops and the message goes back; or TIMEOUT, the handler's
   * `timeout` has passed. Only the last counts as an attempt.
   */
  get signal(): AbortSignal {
    return this.#own.limit ?? this.#delivery.signal;
  }

  /** The trace that the message belongs to; what the handler publishes belongs to it too. */
  get trace(): TraceContext | null {
    return traceOf(this.headers);
  }

  /** True when this message was delivered to this group before, or was redriven. */
  get redelivered(): boolean {
    return this.attempt > 1 || this.crashes > 0 || this.redriven > 0;
  }

  /**
   * The SQL transaction that also records the message in the inbox: what is written through it takes effect exactly when
   * the message counts as handled.
   * @throws MillraceError INBOX_NOT_CONFIGURED when the subscription was not made with `inbox: true`
   */
  get transaction(): SqlTransaction {
    if (this.#own.transaction) return this.#own.transaction;
    throw new MillraceError(
      'INBOX_NOT_CONFIGURED',
      `ctx.transaction is there only in handlers with the inbox: add inbox: true to the subscription of group ` +
        `'${this.group}' to topic '${this.topic}'.`,
    );
  }

  /**
   * Publishes a message together with the settlement of this one: when the handler ends well and that is settled, the message is
   * published, once, also when processes die in between. When the handler throws, or the message goes back, nothing is. It is
   * validated and written at once; there is nothing to wait for. Where a rule of the payload takes its time or is broken, the
   * attempt fails with that error when the handler ends.
   *
   * @returns the id of the message
   * @throws MillraceError FORWARD_REFUSED where nothing can go out with this call: in broadcasts, in handlers of dead letters,
   *   with the inbox, when the handler has ended; beyond 256 of them or 4 MiB
   * @throws MillraceError those of {@link Publisher.publish} that say that nothing was stored
   */
  publish<T>(topic: TopicOf<T>, payload: NoInfer<T>, options?: PublishOptions): string {
    return this.#forwards.publish(topic as TopicOf<never>, payload, options);
  }

  /**
   * Enqueues a job together with the settlement of this message, as {@link publish} does with a message. `options` are those of
   * `JobQueue.enqueue`.
   *
   * @returns the id of the job
   * @throws MillraceError as {@link publish}; those of `JobQueue.enqueue` that say that nothing was stored
   */
  enqueue<T extends object>(job: PayloadClass<T>, payload: NoInfer<T>, options?: object): string {
    return this.#forwards.enqueue(job, payload, options);
  }

  get #forwards(): Forwards {
    const { opened } = this.#own;
    if (opened) return opened;
    throw new MillraceError(
      'FORWARD_REFUSED',
      `Group '${this.group}' cannot forward with this call for topic '${this.topic}': nothing is settled with it. Use Publisher.publish().`,
    );
  }
}
