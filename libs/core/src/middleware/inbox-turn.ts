import type { InboxPort, InboxResult, OwningSubscriber } from '../delivery/inbox-port.js';
import type { Lease } from '../delivery/lease.js';
import type { SqlTransaction } from '../delivery/sql-transaction.js';

export interface InboxTurn {
  readonly inbox: InboxPort;
  readonly subscriber: string | OwningSubscriber;
  readonly messageId: string;
  /** The transaction ends with the lease: when it is given up, the writes are undone at once. */
  readonly lease: Lease;
  /** Aborts when nothing may begin any more. */
  readonly paused?: AbortSignal | undefined;
}

/** Thrown to undo a transaction: its message is not this process's any more, or its handler did not begin. */
class GoesBack extends Error {}

/**
 * Runs `work` by the inbox, which may let it wait for its transaction. When `paused` aborts before `work` has begun, it never
 * begins; otherwise it goes on. When the lease is given up before the transaction is committed, nothing of it takes effect,
 * whatever `work` returns or throws. In both cases it resolves to `'goes-back'` at once.
 */
export async function runInTurn(
  turn: InboxTurn,
  work: (transaction: SqlTransaction) => unknown,
): Promise<InboxResult<unknown> | 'goes-back'> {
  const { inbox, subscriber, messageId, lease, paused } = turn;
  if (paused?.aborted || lease.isGivenUp) return 'goes-back';
  const place = new Place(turn);
  const run = inbox.run(subscriber, messageId, (transaction) => place.take(() => work(transaction)));
  // Nobody needs the result after it was missed: its message is another's by then.
  run.catch(() => undefined);
  try {
    return await Promise.race([run, place.missed]);
  } catch (error) {
    if (error instanceof GoesBack || lease.isGivenUp) return 'goes-back';
    throw error;
  } finally {
    place.leave();
  }
}

/** The state of one message: waiting -> begun, or waiting -> missed. */
class Place {
  /** Resolves when it cannot begin any more. */
  readonly missed: Promise<'goes-back'>;
  readonly #turn: InboxTurn;
  readonly #lost: Promise<never>;
  readonly #stopWatching: () => void;
  #isBegun = false;

  constructor(turn: InboxTurn) {
    this.#turn = turn;
    const [over, lost] = [aborted(turn.paused), aborted(turn.lease.signal)];
    this.#lost = lost.promise.then(goBack);
    this.#lost.catch(() => undefined);
    this.missed = new Promise((resolve) => {
      const miss = (): void => {
        if (!this.#isBegun) resolve('goes-back');
      };
      void over.promise.then(miss);
      void lost.promise.then(miss);
    });
    this.#stopWatching = () => [over, lost].forEach(({ end }) => end());
  }

  async take(work: () => unknown): Promise<unknown> {
    const { paused, lease } = this.#turn;
    if (paused?.aborted || lease.isGivenUp) return goBack();
    this.#isBegun = true;
    const value = await Promise.race([work(), this.#lost]);
    // The signal may not have fired yet: a process that stood still learns of the loss last.
    await lease.confirm();
    return lease.isGivenUp ? goBack() : value;
  }

  leave(): void {
    this.#stopWatching();
  }
}

function goBack(): never {
  throw new GoesBack();
}

/** A signal as a promise; `end` leaves nothing behind on it. */
function aborted(signal: AbortSignal | undefined): { readonly promise: Promise<void>; readonly end: () => void } {
  let heard = (): void => undefined;
  const promise = new Promise<void>((resolve) => {
    heard = resolve;
    signal?.addEventListener('abort', heard);
  });
  return { promise, end: () => signal?.removeEventListener('abort', heard) };
}
