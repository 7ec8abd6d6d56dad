import { setTimeout } from 'node:timers/promises';
import { asError, backoffDelayMs, emit, errorRecord, LOOP_BACKOFF } from '@millrace/core';
import { ASK_EVERY_MS, type RateLimiter } from './rate-limiter.js';

export interface BeginPermitsParts {
  readonly limiter: RateLimiter;
  /** How many messages would begin now if there were permits for them. */
  readonly wanted: () => number;
  /** Called when there are permits. */
  readonly onGranted: () => void;
}

/**
 * Permits of a rate limit for messages that are about to begin, where they stay with the member until then. It asks for as many
 * as would begin at once, and keeps none.
 */
export class BeginPermits {
  readonly #parts: BeginPermitsParts;
  #isAsking = false;
  #problem: string | null = null;

  constructor(parts: BeginPermitsParts) {
    this.#parts = parts;
  }

  get inHand(): number {
    return this.#parts.limiter.inHand;
  }

  /** Why there are no permits, or null. */
  problem(): string | null {
    return this.#problem;
  }

  /** So many messages begin; no more than there are permits in hand. */
  use(messages: number): void {
    for (let used = 0; used < messages; used += 1) this.#parts.limiter.use();
  }

  unused(): void {
    this.#parts.limiter.unused();
  }

  /** Asks for permits if messages wait for them, and gives back what nobody needs. */
  look(): void {
    if (this.#isAsking) return;
    if (this.inHand > 0) this.#giveBack();
    else if (this.#parts.wanted() > 0) void this.#ask();
  }

  /** It ends when there are permits, or nobody wants any. */
  async #ask(): Promise<void> {
    this.#isAsking = true;
    for (let failures = 0, wanted = this.#parts.wanted(); wanted > 0 && this.inHand === 0; wanted = this.#parts.wanted()) {
      const waitMs = await this.#askOnce(wanted, failures + 1);
      failures = this.#problem === null ? 0 : failures + 1;
      // It keeps no process alive.
      if (waitMs > 0) await setTimeout(Math.min(waitMs, ASK_EVERY_MS), undefined, { ref: false });
    }
    this.#problem = null;
    this.#isAsking = false;
    if (this.inHand > 0) this.#parts.onGranted();
  }

  async #askOnce(wanted: number, failures: number): Promise<number> {
    try {
      const waitMs = await this.#parts.limiter.ask(wanted);
      this.#problem = null;
      return waitMs;
    } catch (thrown) {
      const error = asError(thrown);
      this.#problem = error.message;
      emit('loop-failed', { ...this.#parts.limiter.place, loop: 'permits', error: errorRecord(error), failures });
      return backoffDelayMs(LOOP_BACKOFF, failures);
    }
  }

  #giveBack(): void {
    this.#parts.limiter.giveBack().catch(() => undefined);
  }
}
