import { setTimeout as pause } from 'node:timers/promises';
import { isMillraceError } from '@millrace/nestjs';

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 1_000;

/**
 * Calls again when there was no answer, or nobody to answer. The call has to be the same request each time, so that it is
 * executed once.
 *
 * @param forMs how long; the last call may take its own time beyond it
 * @throws the error of the last call
 */
export async function askAgain<T>(call: () => Promise<T>, forMs: number): Promise<T> {
  const until = performance.now() + forMs;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    try {
      return await call();
    } catch (thrown) {
      if (!isMillraceError(thrown) || !thrown.retryable || performance.now() > until) throw thrown;
    }
    await pause(pauseMs);
  }
}
