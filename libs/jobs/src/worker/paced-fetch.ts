import { setTimeout as pause } from 'node:timers/promises';
import { backoffDelayMs, LOOP_BACKOFF } from '@millrace/core';
import type { IQueueBackend } from 'bullmq';

export interface PacedFetch {
  /** Ends the pause that a fetch is in. */
  readonly signal: AbortSignal;
  readonly onFetched: () => void;
}

/**
 * Lets a fetch that failed return only after a growing pause. BullMQ fetches again at once when Redis refuses (out of
 * memory, read only, a key of another type): that kept one processor busy, and Redis with it.
 */
export function paceFetches(backend: Pick<IQueueBackend, 'moveToActive'>, { signal, onFetched }: PacedFetch): void {
  const fetch = backend.moveToActive.bind(backend);
  let failures = 0;
  backend.moveToActive = async (token, name) => {
    try {
      const fetched: unknown[] = await fetch(token, name);
      failures = 0;
      onFetched();
      return fetched;
    } catch (error) {
      failures += 1;
      await pausing(backoffDelayMs(LOOP_BACKOFF, failures), signal);
      throw error;
    }
  };
}

async function pausing(ms: number, signal: AbortSignal): Promise<void> {
  try {
    await pause(ms, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
