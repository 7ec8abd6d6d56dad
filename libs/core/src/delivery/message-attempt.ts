import type { LedgerTurn } from '../ledger/ledger-turn.js';
import type { MemoPort } from '../memo/memo-port.js';
import type { Attempt } from '../middleware/attempt.js';
import type { Delivery } from './delivery.js';
import type { Lease } from './lease.js';
import type { SqlTransaction } from './sql-transaction.js';

/** A delivery on its way to its handler. */
export class MessageAttempt<D extends Delivery = Delivery> implements Attempt {
  readonly delivery: D;
  payload: unknown;
  limit: AbortSignal | undefined = undefined;
  transaction: SqlTransaction | undefined = undefined;
  /** Its entry in the ledger, while it is in progress here. */
  turn: LedgerTurn | undefined = undefined;

  readonly memo: MemoPort | undefined;

  constructor(delivery: D, memo?: MemoPort) {
    this.delivery = delivery;
    this.memo = memo;
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
}
