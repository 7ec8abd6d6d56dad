import { type DeliveryContext, MillraceError, type SqlTransaction, type TransactionSource } from '@millrace/core';
import { BaseRpcContext, type PacketMetadata } from '@nestjs/microservices';

/** The parts of a context, by their names. */
export interface ContextFacts {
  readonly subject: string;
  readonly pattern: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly metadata: Readonly<PacketMetadata> | undefined;
  readonly messageId: string;
  readonly attempt: number;
  readonly key: string | null;
  readonly partition: number | null;
  readonly offset: number | null;
  readonly signal: () => AbortSignal;
  /** Absent for a request. */
  readonly delivery?: DeliveryContext;
}

/** `@Ctx()` of a handler on the Millrace transport. */
export class MillraceContext extends BaseRpcContext<[ContextFacts]> {
  constructor(facts: ContextFacts) {
    super([facts]);
  }

  /** The topic of an event; the pattern that the caller of a request named. */
  getSubject(): string {
    return this.#facts.subject;
  }

  /** The pattern of the handler, with its wildcards; that of an object as Nest writes it. */
  getPattern(): string {
    return this.#facts.pattern;
  }

  /** The metadata that the client's dispatch hook attached; undefined for none. */
  getMetadata(): Readonly<PacketMetadata> | undefined {
    return this.#facts.metadata;
  }

  /** The headers of the record; empty for none. */
  getHeaders(): Readonly<Record<string, string>> {
    return this.#facts.headers;
  }

  /** Unique; the same at each attempt. */
  get messageId(): string {
    return this.#facts.messageId;
  }

  /** 1 for the first try of an event; failures of its handlers count. Always 1 for a request. */
  get attempt(): number {
    return this.#facts.attempt;
  }

  /** The key of an event; null for none, and for a request. */
  get key(): string | null {
    return this.#facts.key;
  }

  /** Null for a request. */
  get partition(): number | null {
    return this.#facts.partition;
  }

  /** Dense number of an event in its partition, from 0; null for a request. */
  get offset(): number | null {
    return this.#facts.offset;
  }

  /** Aborts when nothing that follows counts: stop then. */
  get signal(): AbortSignal {
    return this.#facts.signal();
  }

  /**
   * The SQL transaction that also records the event in the inbox: what is written through it takes effect exactly when the event
   * counts as handled.
   *
   * @throws MillraceError INBOX_NOT_CONFIGURED for a request, and where the extras of `@EventPattern` have no `inbox: true`
   */
  get transaction(): SqlTransaction {
    return this.#delivery.transaction;
  }

  /**
   * The same transaction in the type of the library that the option `database` names: `context.transactionOf(source)`, or
   * `context.transactionOf<EntityManager>()` where the source is out of reach.
   *
   * @throws MillraceError INBOX_NOT_CONFIGURED without the inbox, or when the database is named by a URL
   * @throws MillraceError INVALID_INPUT the transaction is of another source
   */
  transactionOf<Transaction>(source?: TransactionSource<Transaction>): Transaction {
    return this.#delivery.transactionOf(source);
  }

  get #delivery(): DeliveryContext {
    const { delivery, pattern } = this.#facts;
    if (delivery) return delivery;
    throw new MillraceError('INBOX_NOT_CONFIGURED', `The handler of ${pattern} answers a request: only handlers of events have the inbox.`);
  }

  get #facts(): ContextFacts {
    return this.args[0];
  }
}
