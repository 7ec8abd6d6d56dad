import { setTimeout } from 'node:timers/promises';
import { redisFailure } from '@millrace/redis';
import type { PendingDelivery } from '../consume/pending-delivery.js';
import { reportLoop } from './owner-notes.js';

const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1_000;

/** Work on messages that Redis has to store, and may refuse for a while. */
export class UntilDone {
  /** Messages whose work Redis does not take at the moment, and why. */
  readonly #failing = new Map<PendingDelivery, string>();

  /** Why something cannot be stored, or null while all is well. */
  problem(): string | null {
    const [why] = this.#failing.values();
    return why ?? null;
  }

  /**
   * Tries until it is done, or until the message is known to be lost. It never rejects: it reports failures.
   *
   * @returns what the work returned; null when the message was lost
   */
  async of<T>(delivery: PendingDelivery, work: () => Promise<T>): Promise<T | null> {
    try {
      for (let pauseMs = FIRST_PAUSE_MS; !delivery.entry.isGivenUp; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
        try {
          return await work();
        } catch (error) {
          this.#failing.set(delivery, redisFailure(error, 'settle').message);
          reportLoop(delivery, error);
          await setTimeout(pauseMs);
        }
      }
      return null;
    } finally {
      this.#failing.delete(delivery);
    }
  }
}
