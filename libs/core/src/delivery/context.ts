import { MillraceError } from '../errors.js';
import { messageTimeMs } from '../message-id.js';
import type { Delivery } from './delivery.js';
import type { SqlTransaction } from './sql-transaction.js';

/** What a message handler is told beside the payload: its second argument. */
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
  /** How often a process that held this message vanished before it settled it. */
  readonly crashes: number;
  /** When the message was published, by the publisher's clock. */
  readonly publishedAt: Date;
  /** Aborts when the message was taken away from this process (its lease was lost): stop, nothing that follows counts. */
  readonly signal: AbortSignal;
  readonly #transaction: SqlTransaction | undefined;

  constructor(delivery: Delivery, transaction?: SqlTransaction) {
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
    this.publishedAt = new Date(messageTimeMs(message.id));
    this.signal = delivery.signal;
    this.#transaction = transaction;
  }

  /** True when this message was delivered to this group before. */
  get redelivered(): boolean {
    return this.attempt > 1 || this.crashes > 0;
  }

  /**
   * The SQL transaction that also records the message in the inbox: what is written through it takes effect exactly when
   * the message counts as handled.
   * @throws MillraceError INBOX_NOT_CONFIGURED when the subscription was not made with `inbox: true`
   */
  get transaction(): SqlTransaction {
    if (this.#transaction) return this.#transaction;
    throw new MillraceError(
      'INBOX_NOT_CONFIGURED',
      `ctx.transaction is there only in handlers with the inbox: add inbox: true to the subscription of group ` +
        `'${this.group}' to topic '${this.topic}'.`,
    );
  }
}
