import { setTimeout } from 'node:timers/promises';
import { redisFailure } from '@millrace/redis';
import type { PendingDelivery } from '../consume/pending-delivery.js';
import { type OutcomeRoutes, WaitEnded } from '../durable/outcome-routes.js';
import { reportLoop } from './owner-notes.js';

const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1_000;

/** Work on messages that Redis has to store, and may refuse for a while. */
export class UntilDone {
  /** Messages whose work Redis does not take at the moment, and why. */
  readonly #failing = new Map<PendingDelivery, string>();
  readonly #outcomes: Pick<OutcomeRoutes, 'pauseSignal'>;

  constructor(outcomes: Pick<OutcomeRoutes, 'pauseSignal'>) {
    this.#outcomes = outcomes;
  }

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
          await this.#failed(delivery, error, pauseMs);
        }
      }
      return null;
    } finally {
      this.#failing.delete(delivery);
    }
  }

  async #failed(delivery: PendingDelivery, error: unknown, pauseMs: number): Promise<void> {
    if (error instanceof WaitEnded) return;
    this.#failing.set(delivery, redisFailure(error, 'settle').message);
    reportLoop(delivery, error);
    await setTimeout(pauseMs, undefined, { signal: this.#outcomes.pauseSignal() }).catch(() => undefined);
  }
}
