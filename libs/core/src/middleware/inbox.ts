import type { InboxPort, OwningSubscriber } from '../delivery/inbox-port.js';
import { OwnerFencedError } from '../errors.js';
import type { Attempt } from './attempt.js';
import type { Middleware } from './chain.js';
import { runInTurn } from './inbox-turn.js';
import { GOES_BACK, Verdict } from './verdict.js';

/** Who handles in an attempt, and what: both together are recorded once. */
export interface InboxEntry {
  readonly subscriber: string | OwningSubscriber;
  readonly messageId: string;
}

const DEDUPLICATED = new Verdict({ kind: 'ack', deduplicated: true });

/** Runs the rest inside a transaction that also records the attempt's entry; it does not run when that is recorded already. */
export function inboxed<A extends Attempt>(inbox: InboxPort, entryOf: (attempt: A) => InboxEntry): Middleware<A> {
  return (next) => async (attempt) => {
    const { subscriber, messageId } = entryOf(attempt);
    const { lease, paused } = attempt;
    try {
      const result = await runInTurn({ inbox, subscriber, messageId, lease, paused }, async (transaction) => {
        attempt.transaction = transaction;
        try {
          return await next(attempt);
        } finally {
          attempt.isOver = true;
        }
      });
      if (result === 'goes-back') return GOES_BACK;
      return result.duplicate ? DEDUPLICATED : result.value;
    } catch (thrown) {
      if (typeof subscriber === 'string' || !(thrown instanceof OwnerFencedError)) throw thrown;
      // A member that the database takes for no owner of the partition has not handled the message: that is no attempt.
      return new Verdict({ kind: 'release', fencedBy: thrown.knownEpoch });
    }
  };
}
