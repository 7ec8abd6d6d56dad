import { setTimeout } from 'node:timers/promises';
import type { RateLimit } from '@millrace/core';
import { loadScript, type RedisConnection } from '@millrace/redis';

const takePermits = loadScript('../scripts/take-permits.lua', import.meta.url);

/** How long to wait for a permit before asking again: others may give some back. */
export const ASK_EVERY_MS = 1_000;
/** Permits that are held for less cost too many reads; held for more, too many are lost with a process that vanishes. */
const SHORTEST_HOLD_MS = 100;
const LONGEST_HOLD_MS = 5_000;

export interface RateLimiterParts {
  readonly redis: RedisConnection;
  readonly key: string;
  readonly limit: RateLimit;
  readonly topic: string;
  readonly group: string;
}

/** Permits of a group's rate limit that this member has in hand: one for each message that it may give to a handler. */
export class RateLimiter {
  /** How long permits are kept for messages that do not come. */
  readonly holdMs: number;
  readonly #parts: RateLimiterParts;
  #inHand = 0;
  #takenAt = 0;

  constructor(parts: RateLimiterParts) {
    this.#parts = parts;
    this.holdMs = Math.min(LONGEST_HOLD_MS, Math.max(SHORTEST_HOLD_MS, parts.limit.perMs));
  }

  /** Whose permits these are. */
  get place(): { readonly topic: string; readonly group: string } {
    const { topic, group } = this.#parts;
    return { topic, group };
  }

  get inHand(): number {
    return this.#inHand;
  }

  /** @returns false when there is none */
  use(): boolean {
    if (this.#inHand <= 0) return false;
    this.#inHand -= 1;
    return true;
  }

  /** A message that used one does not begin. */
  unused(): void {
    this.#inHand += 1;
  }

  /** Asks once. @returns how long until there is a permit, when there was none */
  ask(wanted: number): Promise<number> {
    return this.#take(wanted);
  }

  /** Gives all back. Where the answer is lost they are taken for given back: fewer messages begin then, and never more. */
  async giveBack(): Promise<void> {
    const { redis, key, limit } = this.#parts;
    const spare = this.#inHand;
    this.#inHand = 0;
    await redis.run(takePermits, [key], [limit.messages, limit.perMs, -spare]);
  }

  /**
   * Resolves when there is a permit, or when the signal aborts. Permits that nobody needed for a while are given back first.
   * It rejects when Redis does not answer: then there is none.
   */
  async some(wanted: number, signal: AbortSignal): Promise<void> {
    if (this.#inHand > 0 && performance.now() - this.#takenAt >= this.holdMs) await this.#take(-this.#inHand);
    while (this.#inHand === 0 && !signal.aborted) {
      const waitMs = await this.#take(wanted);
      if (waitMs > 0) await setTimeout(Math.min(waitMs, ASK_EVERY_MS), undefined, { signal }).catch(() => undefined);
    }
  }

  /** @returns how long until there is a permit, when there was none */
  async #take(wanted: number): Promise<number> {
    const { redis, key, limit } = this.#parts;
    const reply = await redis.run(takePermits, [key], [limit.messages, limit.perMs, wanted]);
    const [granted, waitMs] = reply as [number, number];
    this.#inHand += granted;
    this.#takenAt = performance.now();
    return waitMs;
  }
}
