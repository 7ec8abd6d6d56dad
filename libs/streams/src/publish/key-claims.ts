import { asError, MillraceError } from '@millrace/core';
import { loadScript, redisFailure } from '@millrace/redis';
import { Unconfirmed } from '../durable/confirmation.js';
import { type DurableRoute, runDurably } from '../durable/durable-routes.js';
import { isFinal } from './answer.js';
import { pauses, untilWorthIt } from './pace.js';
import { type Claimer, type KeyedMessage, openAt } from './queued-message.js';
import { mismatch, refused, unsent } from './refusals.js';

const claimKeys = loadScript('../scripts/claim.lua', import.meta.url);

const MAX_CLAIMS_A_CALL = 256;

export interface KeyClaimsParts {
  /** To the home partition, with the durability that a claim must reach before its message is sent. */
  readonly route: DurableRoute;
  readonly topic: string;
  /** The two hashes of idempotency keys in the home partition of the keys. */
  readonly keys: readonly string[];
  readonly idempotencyWindowMs: number;
}

interface Claim {
  readonly item: KeyedMessage;
  readonly settled: () => void;
}

/**
 * Claims idempotency keys in their home partition, for messages that go to other partitions: those of one tick by one call,
 * one call at a time. A repeated claim is the same claim, so a lost answer does no harm. A claim is as durable as its message is
 * to be, and is so first: a failover must not keep the message and lose the claim.
 */
export class KeyClaims implements Claimer {
  readonly #parts: KeyClaimsParts;
  #queue: Claim[] = [];
  #isFlushing = false;
  #giveUpAt = Number.POSITIVE_INFINITY;

  constructor(parts: KeyClaimsParts) {
    this.#parts = parts;
  }

  claim(item: KeyedMessage): Promise<void> {
    return new Promise((settled) => {
      this.#queue.push({ item, settled });
      if (!this.#isFlushing) void this.#flush();
    });
  }

  /** All claims end within `deadlineMs` from now. */
  limit(deadlineMs: number): void {
    this.#giveUpAt = performance.now() + deadlineMs;
  }

  async #flush(): Promise<void> {
    this.#isFlushing = true;
    // Claims of the same tick go into the same call.
    await Promise.resolve();
    while (this.#queue.length > 0) await this.#put(this.#queue.splice(0, MAX_CLAIMS_A_CALL));
    this.#isFlushing = false;
  }

  async #put(claims: readonly Claim[]): Promise<void> {
    const items = claims.map(({ item }) => item);
    try {
      await this.#send(items);
    } catch (error) {
      for (const item of items) item.reject(asError(error));
    }
    for (const { settled } of claims) settled();
  }

  async #send(items: readonly KeyedMessage[]): Promise<void> {
    const { topic, route } = this.#parts;
    let open = this.#inTime(items, 0, () => unsent(topic));
    for (const pauseMs of pauses()) {
      if (open.length === 0) return;
      const answer = await this.#try(open);
      if (typeof answer === 'string') {
        this.#settle(open, answer);
        return;
      }
      if (isFinal(answer)) throw answer;
      open = this.#inTime(open, pauseMs, () => refused(topic, answer.message, answer));
      this.#heldUp(open, pauseMs);
      if (open.length > 0) await untilWorthIt(route.redis, pauseMs);
    }
  }

  /** The deadlines of waiting messages go on, here and in the partitions. */
  #heldUp(open: readonly KeyedMessage[], pauseMs: number): void {
    const all = [...open, ...this.#queue.map(({ item }) => item)];
    this.#inTime(all, pauseMs, () => unsent(this.#parts.topic));
    for (const onHeldUp of new Set(all.map(({ use }) => use.onHeldUp))) onHeldUp(pauseMs);
  }

  async #try(items: readonly KeyedMessage[]): Promise<string | MillraceError> {
    const { topic, route, keys, idempotencyWindowMs } = this.#parts;
    const claims = items.flatMap(({ use }) => [use.key, use.digest, use.partition]);
    try {
      const { reply, shortfall } = await runDurably(route, claimKeys, { keys, args: [idempotencyWindowMs, ...claims] });
      if (shortfall instanceof Unconfirmed) throw refused(topic, shortfall.message, shortfall);
      if (shortfall) throw shortfall;
      return String(reply);
    } catch (thrown) {
      return thrown instanceof MillraceError ? thrown : redisFailure(thrown, 'claim');
    }
  }

  #settle(items: readonly KeyedMessage[], reply: string): void {
    const [window, ...answers] = reply.split('\n');
    items.forEach((item, index) => {
      const answer = answers[index] ?? '';
      if (answer.startsWith('!')) item.reject(mismatch(this.#parts.topic, item.use.key, answer.slice(1)));
      else item.use.claimedIn = Number(window);
    });
  }

  #inTime(items: readonly KeyedMessage[], pauseMs: number, late: () => Error): KeyedMessage[] {
    return openAt(items, performance.now() + pauseMs, { giveUpAt: this.#giveUpAt, late });
  }
}
