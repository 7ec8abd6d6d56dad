import type { Forwards } from '../delivery/forwards.js';
import type { Lease } from '../delivery/lease.js';
import type { SqlTransaction } from '../delivery/sql-transaction.js';

/** One attempt to have a handler do its work, as it goes through the steps around it. Steps fill in what the next ones need. */
export interface Attempt {
  /** When it is given up, the attempt decides nothing any more. */
  readonly lease: Lease;
  /** Aborts when no handler may begin here any more; those that have begun go on. */
  readonly paused?: AbortSignal | undefined;
  /** 1 for the first try. */
  readonly number: number;
  /** As it is stored, until a step has made it an instance of its class. */
  payload: unknown;
  /** The signal of a time limit. Absent: nothing but the lease ends the attempt. */
  limit?: AbortSignal | undefined;
  /** The SQL transaction that the handler runs in. */
  transaction?: SqlTransaction | undefined;
  /** Messages and jobs that go out with its outcome, when that is an `ack`. Absent: its handler forwarded nothing. */
  readonly forwards?: Forwards | undefined;
  /** Whether its handler has ended: nothing of it may begin any more. */
  isOver?: boolean;
}

/** Whether its handler must not begin here any more. */
export function goesBack({ lease, paused }: Pick<Attempt, 'lease' | 'paused'>): boolean {
  return lease.isGivenUp || (paused?.aborted ?? false);
}
