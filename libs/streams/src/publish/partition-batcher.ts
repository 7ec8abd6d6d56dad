import { asError, IndefinitePublishError, MillraceError, type OutgoingMessage, type PublishResult, type PublishTerms } from '@millrace/core';
import { loadScript, type RedisConnection, RedisFailure, redisFailure } from '@millrace/redis';
import { SETTLED_PAGE_OFFSETS } from '../keys.js';
import { boundsOf, type RetainedPartition } from '../retain/retained-partition.js';
import { settleBatch } from './batch.js';
import type { Confirmation } from './confirmation.js';
import type { Packing } from './packing.js';
import type { PublishBudget } from './publish-budget.js';
import { QueuedMessage } from './queued-message.js';

const publishBatch = loadScript('../scripts/publish.lua', import.meta.url);

const MAX_BATCH_MESSAGES = 256;
const MAX_BATCH_BYTES = 256 * 1024;
/** Replies of the script that say that nothing is stored. */
const UNSTORED: readonly unknown[] = ['UNDECLARED', 'STALE', 'FULL'];
const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 500;

export interface BatcherParts {
  readonly redis: RedisConnection;
  /** What must be so before a publish resolves, beyond Redis having it. */
  readonly confirmation: Confirmation | null;
  readonly topic: string;
  readonly partition: number;
  /** log, meta, producer, two of idempotency keys, delayed. */
  readonly keys: readonly string[];
  readonly idempotencyWindowMs: number;
  /** How long a publish may wait and be tried before it is rejected, unless it says so itself. */
  readonly deadlineMs: number;
  /** Shared with every other partition. */
  readonly budget: PublishBudget;
  readonly packing: Packing;
  /** Makes the partition again, when Redis has lost it. */
  readonly declare: () => Promise<void>;
  /** Makes room in a log that is full, as its retention allows; null when the topic keeps everything. */
  readonly retained: RetainedPartition | null;
}

/**
 * Gathers what is published to one partition in the same tick into batches, one in flight at a time. A batch that fails
 * is sent again with the same sequence, so that it is stored once however often it arrives.
 */
export class PartitionBatcher {
  readonly #parts: BatcherParts;
  #queue: QueuedMessage[] = [];
  #sequence = 0;
  #flushing: Promise<void> | null = null;
  #giveUpAt = Number.POSITIVE_INFINITY;

  constructor(parts: BatcherParts) {
    this.#parts = parts;
  }

  publish(message: OutgoingMessage, terms: PublishTerms = {}): Promise<PublishResult> {
    const { budget, deadlineMs } = this.#parts;
    const item = new QueuedMessage(message, performance.now() + (terms.deadlineMs ?? deadlineMs), terms.due);
    if (!budget.take(item.bytes)) return Promise.reject(this.#full());
    item.onSettled = () => budget.giveBack(item.bytes);
    this.#queue.push(item);
    this.#flushing ??= Promise.resolve().then(() => this.#flush());
    return item.result;
  }

  /** Resolves when all that was published so far is settled, one way or the other; nothing is tried longer than `deadlineMs`. */
  async drain(deadlineMs: number): Promise<void> {
    this.#giveUpAt = performance.now() + deadlineMs;
    await this.#flushing;
  }

  async #flush(): Promise<void> {
    for (let follows = false; this.#queue.length > 0; follows = true) await this.#send(this.#nextBatch(), follows);
    this.#flushing = null;
  }

  #nextBatch(): QueuedMessage[] {
    let bytes = 0;
    let count = 0;
    while (count < Math.min(this.#queue.length, MAX_BATCH_MESSAGES) && (count === 0 || bytes < MAX_BATCH_BYTES)) {
      bytes += this.#queue[count]!.bytes;
      count += 1;
    }
    return this.#queue.splice(0, count);
  }

  async #send(queued: readonly QueuedMessage[], follows: boolean): Promise<void> {
    const batch = this.#inTime(queued, () => this.#unsent());
    if (batch.length === 0) return;
    this.#sequence += 1;
    try {
      await this.#store(batch, follows);
    } catch (error) {
      for (const item of batch) item.reject(asError(error));
    }
  }

  /** Rejects what would be over after `pauseMs`, and nothing else; a message's time begins when it is published. */
  #inTime(items: readonly QueuedMessage[], late: () => MillraceError, pauseMs = 0): QueuedMessage[] {
    const now = performance.now() + pauseMs;
    const isOver = ({ giveUpAt }: QueuedMessage): boolean => now > Math.min(giveUpAt, this.#giveUpAt);
    for (const item of items) if (isOver(item)) item.reject(late());
    return items.filter(({ isOpen }) => isOpen);
  }

  /** Sends one batch until Redis answers or nobody waits for it any more. */
  async #store(queued: readonly QueuedMessage[], follows: boolean): Promise<void> {
    let batch = queued;
    let indeterminate = false;
    for (const pauseMs of pauses()) {
      let answer: string | RedisFailure | QueuedMessage[] = await this.#try(this.#arguments(batch, follows));
      if (answer === 'FULL') {
        // Nothing is stored, whatever became of earlier tries: what was stored would have been answered.
        indeterminate = false;
        answer = await this.#makeRoom(batch);
      }
      if (Array.isArray(answer)) {
        batch = this.#inTime(answer, () => this.#unsent());
        if (batch.length === 0) return;
        continue;
      }
      if (typeof answer === 'string') {
        settleBatch(batch, this.#parts, answer);
        return;
      }
      indeterminate ||= answer.kind === 'indeterminate';
      const late = (): MillraceError => (indeterminate ? this.#indefinite(answer) : this.#refused(answer.message, answer));
      if (answer.kind === 'fatal' || answer.kind === 'back-pressure') throw indeterminate ? late() : answer;
      const open = this.#inTime(batch, late, pauseMs);
      if (open.length === 0) return;
      // What was sent and not answered may be stored: the sequence stands for exactly that batch.
      if (!indeterminate) batch = open;
      this.#queue = this.#inTime(this.#queue, () => this.#unsent(), pauseMs);
      await this.#pause(pauseMs);
    }
  }

  /** What there is room for; the rest goes back to the queue, or, without any room, to its callers. */
  async #makeRoom(batch: readonly QueuedMessage[]): Promise<QueuedMessage[] | RedisFailure> {
    try {
      const { messages, holder } = await this.#parts.retained!.makeRoom(batch.length);
      if (messages === 0) for (const item of batch) item.reject(this.#noRoom(holder));
      else this.#queue.unshift(...batch.slice(messages));
      return batch.slice(0, messages);
    } catch (thrown) {
      const { kind, message } = redisFailure(thrown, 'trim');
      // Of the trim nobody knows whether it was done; of the messages it is known that they are not stored.
      return new RedisFailure(kind === 'indeterminate' ? 'unavailable' : kind, message, thrown);
    }
  }

  #arguments(batch: readonly QueuedMessage[], follows: boolean): (string | number)[] {
    const { idempotencyWindowMs, packing, retained } = this.#parts;
    const retention = retained?.retention ?? null;
    const perEntry = packing({ messages: batch.length, follows });
    const head = [this.#sequence, idempotencyWindowMs, perEntry, SETTLED_PAGE_OFFSETS, ...boundsOf(retention)];
    return [...head, ...batch.flatMap((item) => item.arguments)];
  }

  async #try(args: readonly (string | number)[]): Promise<string | RedisFailure> {
    try {
      const reply = await this.#run(args);
      if (reply === 'STALE') throw this.#indefinite(undefined);
      if (reply !== 'UNDECLARED') return reply;
      await this.#parts.declare();
      return new RedisFailure('state-lost', 'Redis has lost the partition; it was made again.', undefined);
    } catch (thrown) {
      if (thrown instanceof MillraceError && !(thrown instanceof RedisFailure)) throw thrown;
      return redisFailure(thrown, 'publish');
    }
  }

  async #run(args: readonly (string | number)[]): Promise<string> {
    const { redis, keys, confirmation } = this.#parts;
    if (!confirmation) return String(await redis.run(publishBatch, keys, args));
    await confirmation.check(redis);
    // Right behind the script, on the same connection: a new one has sent nothing to be asked about. By its text: a script
    // that is not known would be sent again, behind the question.
    const stored = redis.call('EVAL', publishBatch.source, keys.length, ...keys, ...args);
    const [reply, answer] = await Promise.allSettled([stored, confirmation.ask(redis)]);
    if (reply.status === 'rejected') throw reply.reason;
    if (answer.status === 'rejected' && !UNSTORED.includes(reply.value)) throw answer.reason;
    return String(reply.value);
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

  #unsent(): MillraceError {
    return this.#refused('its time was up before it could be sent.');
  }

  #refused(why: string, cause?: RedisFailure): MillraceError {
    return new MillraceError('PUBLISH_REFUSED', `The message for topic '${this.#parts.topic}' was not stored: ${why}`, { cause, retryable: true });
  }

  #noRoom(holder: string | null): MillraceError {
    const { topic, partition } = this.#parts;
    const who = holder === null ? '' : ` Group '${holder}' has not settled its oldest message:`;
    return new MillraceError(
      'BACK_PRESSURE',
      `The message for topic '${topic}' was not stored: partition ${partition} holds as much as its retention allows.${who} let it catch up, ` +
        'by more members or a higher concurrency, raise the limit, or choose another overflow.',
      { retryable: true },
    );
  }

  #full(): MillraceError {
    return new MillraceError(
      'BACK_PRESSURE',
      `The message for topic '${this.#parts.topic}' was not stored: those on their way take all of the ${this.#parts.budget.bytes} bytes that ` +
        'this process has for them. Await publishes, publish slower, or raise publishBufferBytes.',
      { retryable: true },
    );
  }
}

/** Short at first: what was made again just now can be published to at once. */
function* pauses(): Generator<number> {
  yield 1;
  for (let pauseMs = FIRST_PAUSE_MS; ; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) yield pauseMs;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
