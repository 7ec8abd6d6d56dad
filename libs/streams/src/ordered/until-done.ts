import { setTimeout } from 'node:timers/promises';
import type { PendingDelivery } from '../consume/pending-delivery.js';
import { reportLoop } from './owner-notes.js';

const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1_000;

/**
 * Tries work on a message that Redis has to store until it is done, or until the message is known to be lost. It never rejects:
 * it reports failures.
 *
 * @returns what the work returned; null when the message was lost
 */
export async function untilDone<T>(delivery: PendingDelivery, work: () => Promise<T>): Promise<T | null> {
  for (let pauseMs = FIRST_PAUSE_MS; !delivery.entry.isGivenUp; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
    try {
      return await work();
    } catch (error) {
      reportLoop(delivery, error);
      await setTimeout(pauseMs);
    }
  }
  return null;
}
