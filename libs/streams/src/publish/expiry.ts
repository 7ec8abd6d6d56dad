import { openAt, type QueuedMessage } from './queued-message.js';

/** Deadlines of the messages of one partition: each has its own, and all end when the process stops. */
export class Expiry {
  #giveUpAt = Number.POSITIVE_INFINITY;

  /** All deadlines end within `deadlineMs` from now. */
  limit(deadlineMs: number): void {
    this.#giveUpAt = performance.now() + deadlineMs;
  }

  /** Rejects the messages whose deadline ends within `pauseMs`, and returns the others. */
  inTime(items: readonly QueuedMessage[], late: () => Error, pauseMs = 0): QueuedMessage[] {
    return openAt(items, performance.now() + pauseMs, { giveUpAt: this.#giveUpAt, late });
  }
}
