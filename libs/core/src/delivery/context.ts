import type { TopicOf } from '../contract/defined-topic.js';
import type { PayloadClass } from '../contract/topic.js';
import { MillraceError } from '../errors.js';
import { messageTimeMs } from '../message-id.js';
import type { MemoPort } from '../memo/memo-port.js';
import { inStep, stepAmong } from '../memo/running-step.js';
import { StepMemo } from '../memo/step-memo.js';
import { quote } from '../names.js';
import type { PublishOptions } from '../publish/publish-options.js';
import { type TraceContext, traceOf } from '../trace/trace-context.js';
import type { Delivery } from './delivery.js';
import type { Forwards } from './forwards.js';
import { ownTransaction } from './own-transaction.js';
import type { SqlTransaction, TransactionSource } from './sql-transaction.js';

interface ContextParts {
  /** The signal of its time limit. Default: the signal of the delivery. */
  readonly limit?: AbortSignal | undefined;
  readonly transaction?: SqlTransaction | undefined;
  /** Messages and jobs that go out with the outcome. Absent: nothing can. It may throw FORWARD_REFUSED. */
  readonly opened?: Forwards;
  readonly memo?: MemoPort | undefined;
  /** Whether the handler has ended. */
  readonly isOver?: boolean;
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
  #steps: StepMemo | undefined;

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
   * Runs a step of the handler, and remembers its result as JSON: another attempt, a redelivery and another process skip a step
   * that is done, and get the result that was stored first. It is kept until the message is settled as done, for 7 days at the
   * most. Calls with the same name in one attempt run the step once. A step that throws is not remembered. A process that dies
   * between the step and its record repeats the step. A step uses neither `transaction` nor `publish` and `enqueue` of
   * this context: they count with the attempt, and the attempt that ends well may not run the step.
   *
   * @param step 1 to 256 bytes of UTF-8; 100 names a message at the most
   * @throws MillraceError MEMO_TOO_LARGE, UNSERIALIZABLE_PAYLOAD the step ran, and is not remembered; MEMO_FULL, INVALID_INPUT;
   *   MEMO_NOT_CONFIGURED for a broadcast or a dead letter; STATE_LOST, CLOSED the message is this process's no more, or
   *   the handler has ended; TIMEOUT its time is over. The step was not run
   */
  async once<T>(step: string, run: () => T | Promise<T>): Promise<T> {
    this.#steps ??= this.#newSteps(step);
    return this.#steps.once(step, run);
  }

  #newSteps(step: string): StepMemo {
    const { memo } = this.#own;
    if (!memo) throw noMemo(step, this.topic);
    const [delivery, id] = [this.#delivery, this.messageId];
    delivery.onDone = () => memo.forget(id);
    const { transaction } = this.#own;
    const isOver = (): boolean => this.#own.isOver === true;
    return new StepMemo({ memo, id, lease: delivery.lease, signal: this.signal, isOver, transaction });
  }

  /**
   * The SQL transaction that also records the message in the inbox: what is written through it takes effect exactly when
   * the message counts as handled.
   * @throws MillraceError INBOX_NOT_CONFIGURED when the subscription was not made with `inbox: true`
   * @throws MillraceError INVALID_INPUT in a step of {@link once}, as do its statements there
   */
  get transaction(): SqlTransaction {
    const step = stepAmong(this.#steps);
    if (step) throw inStep(step);
    if (this.#own.transaction) return this.#own.transaction;
    throw new MillraceError(
      'INBOX_NOT_CONFIGURED',
      `ctx.transaction is there only in handlers with the inbox: add inbox: true to the subscription of group ` +
        `'${this.group}' to topic '${this.topic}'.`,
    );
  }

  /**
   * The same transaction in the type of the library that the option `database` names: `ctx.transactionOf(source)`, or
   * `ctx.transactionOf<EntityManager>()` where the source is out of reach.
   *
   * @throws MillraceError INBOX_NOT_CONFIGURED without the inbox, or when the database is named by a URL
   * @throws MillraceError INVALID_INPUT the transaction is of another source
   */
  transactionOf<Transaction>(source?: TransactionSource<Transaction>): Transaction {
    return ownTransaction(this.transaction, source);
  }

  /**
   * Publishes a message together with the settlement of this one: when the handler ends well and that is settled, the message is
   * published, once, also when processes die in between. When the handler throws, or the message goes back, nothing is. It is
   * validated and written at once; there is nothing to wait for. Where a rule of the payload takes its time or is broken, the
   * attempt fails with that error when the handler ends.
   *
   * @returns the id of the message
   * @throws MillraceError FORWARD_REFUSED where nothing can go out with this call: in broadcasts, in handlers of dead letters,
   *   with the inbox or with `idempotency`, in a step of {@link once}, when the handler has ended; beyond 256 of them or 4 MiB
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
    const step = stepAmong(this.#steps);
    if (step) throw forwardInStep(step.name);
    const { opened } = this.#own;
    if (opened) return opened;
    throw new MillraceError(
      'FORWARD_REFUSED',
      `Group '${this.group}' cannot forward with this call for topic '${this.topic}': nothing is settled with it. Use Publisher.publish().`,
    );
  }
}

function forwardInStep(step: string): MillraceError {
  return new MillraceError(
    'FORWARD_REFUSED',
    `ctx.once(${quote(step)}): nothing can be forwarded in a step. The attempt that is settled may skip the step, and nothing would go out. Call ` +
      'ctx.publish() or ctx.enqueue() behind the step, with what it returned.',
  );
}

function noMemo(step: string, topic: string): MillraceError {
  return new MillraceError(
    'MEMO_NOT_CONFIGURED',
    `ctx.once('${step}'): nothing is remembered of a broadcast or of a dead letter of topic '${topic}', so the step was not run. Use it in ` +
      'a handler of a group.',
  );
}
