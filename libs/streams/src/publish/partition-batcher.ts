import { asError, IndefinitePublishError, MillraceError, type OutgoingMessage, type PublishResult } from '@millrace/core';
import { loadScript, type RedisConnection, RedisFailure, redisFailure } from '@millrace/redis';
import { SETTLED_PAGE_OFFSETS } from '../keys.js';
import { batchArguments, queued, type QueuedMessage, settleBatch } from './batch.js';

const publishBatch = loadScript('../scripts/publish.lua', import.meta.url);

const MAX_BATCH_MESSAGES = 256;
const MAX_BATCH_BYTES = 256 * 1024;
const MAX_QUEUED_BYTES = 64 * 1024 * 1024;
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 500;

export interface BatcherParts {
  readonly redis: RedisConnection;
  readonly topic: string;
  readonly partition: number;
  /** log, meta, producer, two of idempotency keys. */
  readonly keys: readonly string[];
  readonly idempotencyWindowMs: number;
  /** How long a publish may wait and be tried before it is rejected. */
  readonly deadlineMs: number;
  /** Messages an entry at the most. */
  readonly messagesPerEntry: number;
  /** Makes the partition again, when Redis has lost it. */
  readonly declare: () => Promise<void>;
}

/**
 * Gathers what is published to one partition in the same tick into batches, one in flight at a time. A batch that fails
 * is sent again with the same sequence, so that it is stored once however often it arrives.
 */
export class PartitionBatcher {
  readonly #parts: BatcherParts;
  #queue: QueuedMessage[] = [];
  #queuedBytes = 0;
  #sequence = 0;
  #flushing: Promise<void> | null = null;
  #giveUpAt = Number.POSITIVE_INFINITY;

  constructor(parts: BatcherParts) {
    this.#parts = parts;
  }

  publish(message: OutgoingMessage): Promise<PublishResult> {
    if (this.#queuedBytes > MAX_QUEUED_BYTES) return Promise.reject(this.#full());
    const promise = queued(message);
    this.#queue.push(promise.entry);
    this.#queuedBytes += promise.entry.envelope.length;
    this.#flushing ??= Promise.resolve().then(() => this.#flush());
    return promise;
  }

  /** Resolves when all that was published so far is settled, one way or the other; nothing is tried longer than `deadlineMs`. */
  async drain(deadlineMs: number): Promise<void> {
    this.#giveUpAt = performance.now() + deadlineMs;
    await this.#flushing;
  }

  async #flush(): Promise<void> {
    while (this.#queue.length > 0) await this.#send(this.#nextBatch());
    this.#flushing = null;
  }

  #nextBatch(): QueuedMessage[] {
    let bytes = 0;
    let count = 0;
    while (count < Math.min(this.#queue.length, MAX_BATCH_MESSAGES) && (count === 0 || bytes < MAX_BATCH_BYTES)) {
      bytes += this.#queue[count]!.envelope.length;
      count += 1;
    }
    this.#queuedBytes -= bytes;
    return this.#queue.splice(0, count);
  }

  async #send(batch: readonly QueuedMessage[]): Promise<void> {
    try {
      if (this.#isOver(batch)) throw this.#refused('its time was up before it could be sent.');
      this.#sequence += 1;
      settleBatch(batch, this.#parts, await this.#store(batch));
    } catch (error) {
      for (const { reject } of batch) reject(asError(error));
    }
  }

  #arguments(batch: readonly QueuedMessage[]): (string | number)[] {
    const { idempotencyWindowMs, messagesPerEntry } = this.#parts;
    return [this.#sequence, idempotencyWindowMs, messagesPerEntry, SETTLED_PAGE_OFFSETS, ...batch.flatMap(batchArguments)];
  }

  /** The time of a message begins when it is published, not when those before it are done. */
  #isOver([first]: readonly QueuedMessage[], pauseMs = 0): boolean {
    return performance.now() + pauseMs > Math.min(first!.queuedAt + this.#parts.deadlineMs, this.#giveUpAt);
  }

  /** Sends one batch until Redis answers or the deadline has passed. What was sent once and not answered may be stored. */
  async #store(batch: readonly QueuedMessage[]): Promise<string> {
    const args = this.#arguments(batch);
    let indeterminate = false;
    for (let pauseMs = 1; ; pauseMs = Math.min(Math.max(pauseMs * 2, FIRST_PAUSE_MS), LONGEST_PAUSE_MS)) {
      const answer = await this.#try(args);
      if (typeof answer === 'string') return answer;
      indeterminate ||= answer.kind === 'indeterminate';
      const hopeless = answer.kind === 'fatal' || answer.kind === 'back-pressure';
      if (hopeless || this.#isOver(batch, pauseMs)) {
        throw indeterminate ? this.#indefinite(answer) : hopeless ? answer : this.#refused(answer.message, answer);
      }
      await this.#pause(pauseMs);
    }
  }

  async #try(args: readonly (string | number)[]): Promise<string | RedisFailure> {
    try {
      const reply = String(await this.#parts.redis.run(publishBatch, this.#parts.keys, args));
      if (reply === 'STALE') throw this.#indefinite(undefined);
      if (reply !== 'UNDECLARED') return reply;
      await this.#parts.declare();
      return new RedisFailure('state-lost', 'Redis has lost the partition; it was made again.', undefined);
    } catch (thrown) {
      if (thrown instanceof MillraceError && !(thrown instanceof RedisFailure)) throw thrown;
      return redisFailure(thrown, 'publish');
    }
  }

  /** Until it is worth another try. It always lets the event loop turn: a connection that is ending refuses without waiting. */
  async #pause(ms: number): Promise<void> {
    const { redis } = this.#parts;
    if (redis.isReady) await pause(ms);
    else await redis.whenReady(ms);
  }

  #indefinite(cause: RedisFailure | undefined): IndefinitePublishError {
    return new IndefinitePublishError(
      `Redis did not say whether it stored the message for topic '${this.#parts.topic}'. It may be stored. Publish it again with the same ` +
        'idempotency key to be sure; without one that may store it twice.',
      cause,
    );
  }

  #refused(why: string, cause?: RedisFailure): MillraceError {
    return new MillraceError('PUBLISH_REFUSED', `The message for topic '${this.#parts.topic}' was not stored: ${why}`, { cause, retryable: true });
  }

  #full(): MillraceError {
    return new MillraceError(
      'BACK_PRESSURE',
      `More than ${MAX_QUEUED_BYTES} bytes wait to be published to '${this.#parts.topic}'. The message was not stored. Await publishes, or publish slower.`,
      { retryable: true },
    );
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
