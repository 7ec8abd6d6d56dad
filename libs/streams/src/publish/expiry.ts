import { openAt, type QueuedMessage } from './queued-message.js';

/** When messages of one partition are given up: each at its own time, and all when the process stops. */
export class Expiry {
  #giveUpAt = Number.POSITIVE_INFINITY;

  /** From now on nothing is tried for longer than `deadlineMs`. */
  limit(deadlineMs: number): void {
    this.#giveUpAt = performance.now() + deadlineMs;
  }

  /** Rejects what would be over after `pauseMs`, and nothing else; a message's time begins when it is published. */
  inTime(items: readonly QueuedMessage[], late: () => Error, pauseMs = 0): QueuedMessage[] {
    return openAt(items, performance.now() + pauseMs, { giveUpAt: this.#giveUpAt, late });
  }
}
