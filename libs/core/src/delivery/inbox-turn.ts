import type { InboxPort, InboxResult } from './inbox-port.js';
import type { SqlTransaction } from './sql-transaction.js';

export interface InboxTurn {
  readonly inbox: InboxPort;
  readonly subscriber: string;
  readonly messageId: string;
  /** Aborts when nothing may begin any more. */
  readonly heldUp?: AbortSignal | undefined;
}

/** What is held up while it waits for its transaction leaves nothing behind in the inbox. */
class HeldUp extends Error {}

/**
 * Runs `work` by the inbox, which may let it wait for its transaction. When `heldUp` aborts before it has begun it never
 * begins: `'held-up'`, at once. What has begun goes on.
 */
export async function runInTurn<T>(
  { inbox, subscriber, messageId, heldUp }: InboxTurn,
  work: (transaction: SqlTransaction) => Promise<T>,
): Promise<InboxResult<T> | 'held-up'> {
  if (heldUp?.aborted) return 'held-up';
  let isBegun = false;
  let onAbort = (): void => undefined;
  const given = new Promise<'held-up'>((resolve) => {
    onAbort = () => {
      if (!isBegun) resolve('held-up');
    };
  });
  const run = inbox.run(subscriber, messageId, async (transaction) => {
    if (heldUp?.aborted) throw new HeldUp();
    isBegun = true;
    return work(transaction);
  });
  // What becomes of it after it was held up concerns nobody: its message is another's by then.
  run.catch(() => undefined);
  heldUp?.addEventListener('abort', onAbort);
  try {
    return await Promise.race([run, given]);
  } catch (error) {
    if (error instanceof HeldUp) return 'held-up';
    throw error;
  } finally {
    heldUp?.removeEventListener('abort', onAbort);
  }
}
