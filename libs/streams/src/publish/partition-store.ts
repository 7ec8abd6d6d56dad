import { MillraceError } from '@millrace/core';
import { loadScript, type RedisConnection, redisFailure, type RunnableScript } from '@millrace/redis';
import { type Confirmation, Unconfirmed } from '../durable/confirmation.js';
import { type DurableRun, runDurably } from '../durable/durable-routes.js';
import { type PartitionKeys, SETTLED_PAGE_OFFSETS } from '../keys.js';
import { boundsOf, type RetainedPartition } from '../retain/retained-partition.js';
import { type Answer, answerOf, type Closing, closingOf } from './answer.js';
import { duesOf, entriesOf, longestTime, oldestClaim, usesOf } from './batch.js';
import type { Packing } from './packing.js';
import type { Span } from './producer.js';
import type { QueuedMessage } from './queued-message.js';
import { unconfirmed } from './refusals.js';

const publishBatch = loadScript('../scripts/publish.lua', import.meta.url);
const closeBatches = loadScript('../scripts/close.lua', import.meta.url);

export interface StoreParts {
  readonly redis: RedisConnection;
  /** The durability that a publish must reach before it resolves. */
  readonly confirmation: Confirmation | null;
  readonly keys: PartitionKeys;
  /** The number of partitions from which the one of a message follows. */
  readonly partitions: () => number;
  readonly idempotencyWindowMs: number;
  readonly packing: Packing;
  /** Null when the topic keeps everything. */
  readonly retained: RetainedPartition | null;
}

/** A batch as it is sent. */
export interface Sending {
  readonly producer: string;
  readonly number: number;
  readonly items: readonly QueuedMessage[];
  /** Whether the batch gathered while another batch of the partition was on its way. */
  readonly follows: boolean;
}

/** One partition in Redis, as a producer writes to it. Its calls never reject: a failure is an answer of kind `failed`. */
export class PartitionStore {
  readonly #parts: StoreParts;

  constructor(parts: StoreParts) {
    this.#parts = parts;
  }

  /** Stores a batch. Redis gets the calls in the order in which they are made. */
  async publish({ producer, number, items, follows }: Sending): Promise<Answer> {
    const { packing, retained, keys, partitions } = this.#parts;
    const perEntry = packing({ messages: items.length, follows });
    const bounds = [SETTLED_PAGE_OFFSETS, ...boundsOf(retained?.retention ?? null)];
    const extras = this.#extrasOf(items);
    const extraKeys = extras.length === 0 ? [] : [...keys.ids, keys.delayed];
    const head = [producer, number, longestTime(items), items.length, perEntry, ...bounds, partitions(), ...extras];
    try {
      const allKeys = [keys.log, keys.meta, keys.producers, ...extraKeys];
      const { reply, shortfall } = await this.#run(publishBatch, allKeys, [...head, ...entriesOf(items, perEntry)]);
      const answer = answerOf(String(reply), unconfirmed(shortfall));
      return answer.kind === 'stored' ? assured(answer, shortfall) : answer;
    } catch (thrown) {
      return failed(thrown, 'publish');
    }
  }

  /** Resolves whether the batches of these numbers are stored, and closes the others. @param items their messages */
  async close(producer: string, { first, last }: Span, items: readonly QueuedMessage[]): Promise<Closing> {
    try {
      const args = [producer, first, last, longestTime(items)];
      const { reply, shortfall } = await this.#run(closeBatches, [this.#parts.keys.producers], args);
      const closing = closingOf(reply as string | string[], unconfirmed(shortfall));
      const isStored = closing.kind === 'closed' && closing.replies.some((one) => one !== null);
      return isStored ? assured(closing, shortfall) : closing;
    } catch (thrown) {
      return failed(thrown, 'close');
    }
  }

  /** Arguments for idempotency keys and due times; empty without any: then their Redis keys are not named either. */
  #extrasOf(items: readonly QueuedMessage[]): (string | number)[] {
    const [uses, dues] = [usesOf(items), duesOf(items)];
    return uses === '' && dues === '' ? [] : [this.#parts.idempotencyWindowMs, oldestClaim(items), uses, dues];
  }

  #run(script: RunnableScript, keys: readonly string[], args: readonly (string | number)[]): Promise<DurableRun> {
    return runDurably(this.#parts, script, { keys, args });
  }
}

/** The answer, unless the confirmation failed in a transient way: then both are sent again. */
function assured<Given extends Answer | Closing>(answer: Given, shortfall: Error | null): Given {
  if (shortfall !== null && !(shortfall instanceof Unconfirmed)) throw shortfall;
  return answer;
}

function failed(thrown: unknown, command: string): { kind: 'failed'; error: MillraceError } {
  if (thrown instanceof MillraceError) return { kind: 'failed', error: thrown };
  return { kind: 'failed', error: redisFailure(thrown, command) };
}
