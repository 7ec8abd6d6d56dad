import { MillraceError } from '@millrace/core';
import { loadScript, redisFailure } from '@millrace/redis';
import { type DurableRoute, runDurably } from '../durable/durable-routes.js';
import type { PartitionKeys } from '../keys.js';
import { isFinal } from './answer.js';
import { pauses, untilWorthIt } from './pace.js';
import { placeOf } from './partitioner.js';
import { type Claimer, type KeyedMessage, openAt } from './queued-message.js';
import { mismatch, refused, unconfirmed, unsent } from './refusals.js';

const recall = loadScript('../scripts/recall.lua', import.meta.url);

export interface EarlierUsesParts {
  readonly topic: string;
  readonly idempotencyWindowMs: number;
  /** Whether a key is unique in the whole topic, or in a partition alone. */
  readonly isUniqueInTopic: boolean;
  /** Numbers of partitions that the topic had so recently that keys which were used then are remembered. */
  readonly earlier: () => Promise<readonly number[]>;
  readonly keysOf: (partition: number) => PartitionKeys;
  /** With the durability of the publish: a message that it finds must have reached it. */
  readonly routeOf: (partition: number) => DurableRoute;
  /** Claims the key under the present number of partitions; null when there is nothing to claim. */
  readonly claimer: Claimer | null;
}

/**
 * Finds uses of idempotency keys from before a raise, in the partitions that they belonged to then. Nothing is stored by an
 * earlier number any more, so what is not found there will not come.
 */
export class EarlierUses implements Claimer {
  readonly #parts: EarlierUsesParts;

  constructor(parts: EarlierUsesParts) {
    this.#parts = parts;
  }

  async claim(item: KeyedMessage): Promise<void> {
    await this.#recall(item);
    if (item.isOpen) await this.#parts.claimer?.claim(item);
  }

  /** Answers the message when its key was used. */
  async #recall(item: KeyedMessage): Promise<void> {
    const { topic, routeOf } = this.#parts;
    for (const pauseMs of pauses()) {
      if (!isInTime(item, 0, () => unsent(topic))) return;
      try {
        const partitions = this.#partitionsOf(item, await this.#parts.earlier());
        await Promise.all(partitions.map((partition) => this.#look(item, partition)));
        return;
      } catch (thrown) {
        const failure = thrown instanceof MillraceError ? thrown : redisFailure(thrown, 'recall');
        if (isFinal(failure)) item.reject(failure);
        if (!isInTime(item, pauseMs, () => refused(topic, failure.message, failure))) return;
        item.use.onHeldUp(pauseMs);
        await untilWorthIt(routeOf(0).redis, pauseMs);
      }
    }
  }

  /** For each earlier number the partition that the message belonged to, and the one that knew all uses of the key. */
  #partitionsOf({ routingKey, use }: KeyedMessage, earlier: readonly number[]): number[] {
    const { isUniqueInTopic } = this.#parts;
    const texts = isUniqueInTopic ? [routingKey, use.key] : [routingKey];
    return [...new Set(earlier.flatMap((count) => texts.map((text) => placeOf(text, count))))];
  }

  async #look(item: KeyedMessage, partition: number): Promise<void> {
    const { topic, idempotencyWindowMs, keysOf, routeOf } = this.#parts;
    const { key, digest } = item.use;
    const call = { keys: keysOf(partition).ids, args: [idempotencyWindowMs, key, digest] };
    const { reply, shortfall } = await runDurably(routeOf(partition), recall, call);
    const found = String(reply);
    const use = found.slice(1);
    if (found.startsWith('!')) item.reject(mismatch(topic, key, use));
    if (!found.startsWith('=')) return;
    const error = unconfirmed(shortfall);
    if (shortfall && !error) throw shortfall;
    const [offset, id] = use.split(' ');
    if (error) item.reject(error);
    else item.resolve({ id: id!, partition, offset: offset === '-' ? null : Number(offset), duplicate: true });
  }
}

/** Whether the message is open so many milliseconds from now; one whose deadline is before that is rejected. */
function isInTime(item: KeyedMessage, inMs: number, late: () => Error): boolean {
  return openAt([item], performance.now() + inMs, { giveUpAt: Number.POSITIVE_INFINITY, late }).length > 0;
}
