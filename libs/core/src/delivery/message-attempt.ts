import type { LedgerTurn } from '../ledger/ledger-turn.js';
import type { MemoPort } from '../memo/memo-port.js';
import type { Attempt } from '../middleware/attempt.js';
import { MillraceError } from '../errors.js';
import type { Delivery } from './delivery.js';
import { type Forwarding, Forwards } from './forwards.js';
import type { Lease } from './lease.js';
import type { SqlTransaction } from './sql-transaction.js';

/** `in-ledger`: a ledger says that messages are done before they are settled, and a repetition forwards nothing. */
export type MayForward = Forwarding | 'in-ledger' | undefined;

const IN_LEDGER = 'the subscription has idempotency, which may know that the message is done when it is not settled yet. Use ' +
  'Publisher.publish() with an idempotency key';

/** The things that handlers of a group may use beside their message. */
export interface AttemptMeans {
  /** Absent: no step is remembered. */
  readonly memo?: MemoPort | undefined;
  /** Absent: nothing can go out with the outcome. */
  readonly forwarding?: MayForward;
}

/** A delivery on its way to its handler. */
export class MessageAttempt<D extends Delivery = Delivery> implements Attempt {
  readonly delivery: D;
  payload: unknown;
  limit: AbortSignal | undefined = undefined;
  transaction: SqlTransaction | undefined = undefined;
  /** Its entry in the ledger, while it is in progress here. */
  turn: LedgerTurn | undefined = undefined;
  forwards: Forwards | undefined = undefined;
  isOver = false;
  readonly memo: MemoPort | undefined;
  readonly #forwarding: MayForward;

  constructor(delivery: D, { memo, forwarding }: AttemptMeans = {}) {
    this.delivery = delivery;
    this.memo = memo;
    this.#forwarding = forwarding;
    this.payload = delivery.message.payload;
  }

  get lease(): Lease {
    return this.delivery.lease;
  }

  get paused(): AbortSignal | undefined {
    return this.delivery.paused;
  }

  get number(): number {
    return this.delivery.attempt;
  }

  /**
   * The messages and jobs that go out with its outcome.
   *
   * @throws MillraceError FORWARD_REFUSED
   */
  get opened(): Forwards {
    if (this.forwards) return this.forwards;
    const { transaction, delivery } = this;
    if (transaction) throw refused(delivery, 'the handler has the inbox. Write to the outbox in ctx.transaction: it goes out when that is committed');
    if (delivery.mayForward === false) throw refused(delivery, 'the message had been put aside, and its key was released. Use Publisher.publish()');
    if (this.#forwarding === 'in-ledger') throw refused(delivery, IN_LEDGER);
    if (!this.#forwarding) throw refused(delivery, 'nothing is settled with this call that it could go out with. Use Publisher.publish()');
    this.forwards = new Forwards(this.#forwarding);
    return this.forwards;
  }
}

function refused({ topic, group }: Delivery, why: string): MillraceError {
  return new MillraceError('FORWARD_REFUSED', `Group '${group}' cannot forward with a message of topic '${topic}': ${why}.`);
}
