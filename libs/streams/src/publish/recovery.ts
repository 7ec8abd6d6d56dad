import { emit, MillraceError } from '@millrace/core';
import { RedisFailure, redisFailure } from '@millrace/redis';
import type { RetainedPartition } from '../retain/retained-partition.js';
import { type Answer, isFinal, isInDoubt } from './answer.js';
import { rejectAll, settleStored } from './batch.js';
import type { Expiry } from './expiry.js';
import { pauses } from './pace.js';
import type { PartitionStore } from './partition-store.js';
import { MOST_IN_FLIGHT, type Producer } from './producer.js';
import { MAX_BATCH_MESSAGES, type PublishQueue } from './publish-queue.js';
import { isKeyed, type QueuedMessage } from './queued-message.js';
import { indefinite, noRoom, refused, unsent } from './refusals.js';
import type { SentBatch } from './sent-batch.js';

export interface RecoveryParts {
  readonly topic: string;
  readonly partition: number;
  readonly store: PartitionStore;
  readonly producer: Producer;
  readonly queue: PublishQueue;
  readonly expiry: Expiry;
  /** Makes the partition again, when Redis has lost it. */
  readonly declare: () => Promise<void>;
  /** Learns how many partitions the topic has, as it was raised, and has the messages sent to those they belong to. */
  readonly learn: () => Promise<void>;
  /** Makes room in a log that is full, as its retention allows; null when the topic keeps everything. */
  readonly retained: RetainedPartition | null;
  /** Waits for so long, or until another try makes sense. */
  readonly pause: (pauseMs: number) => Promise<void>;
}

/**
 * Recovers batches that were sent and not stored. First it finds out which of them are stored after all, and closes those in
 * doubt that are not, so that they never will be. Their messages go back to the queue, before all later ones.
 */
export class Recovery {
  /** How many batches may be on their way, and messages in one: fewer than usual until one is stored again. */
  mostInFlight = MOST_IN_FLIGHT;
  mostInBatch = MAX_BATCH_MESSAGES;
  readonly #parts: RecoveryParts;
  #doubted: readonly SentBatch[] = [];
  #pauses = pauses();

  constructor(parts: RecoveryParts) {
    this.#parts = parts;
  }

  /** Number of batches that may be stored, as they were not answered. */
  get inDoubt(): number {
    return this.#doubted.length;
  }

  /** Whether a publish of a batch in doubt is still open. */
  get isAwaited(): boolean {
    return this.#doubted.some(({ items }) => items.some(({ isOpen }) => isOpen));
  }

  /** A batch was stored: the usual limits hold again. */
  succeeded(): void {
    if (this.mostInFlight === MOST_IN_FLIGHT) return;
    this.mostInFlight = MOST_IN_FLIGHT;
    this.mostInBatch = MAX_BATCH_MESSAGES;
    this.#pauses = pauses();
  }

  /** @param batches the first one that was not stored, and all that were sent behind it */
  async recover(batches: readonly SentBatch[]): Promise<void> {
    await Promise.all(batches.map(({ answered }) => answered));
    this.mostInFlight = 1;
    if (batches.some(({ answer }) => isInDoubt(answer) || answer!.kind === 'stored')) this.#doubt(batches);
    else await this.#unstored(batches);
  }

  async #unstored(batches: readonly SentBatch[]): Promise<void> {
    const { number, answer, confirmed } = batches[0]!;
    if (answer!.kind === 'gap' && answer!.last < confirmed) this.#lost(answer!.last);
    else if (answer!.kind === 'stale') this.#parts.producer.renew();
    else this.#parts.producer.takeBack(number);
    await this.#again(batches);
  }

  /** Batches in doubt still reject their messages at the deadlines of these. */
  #doubt(batches: readonly SentBatch[]): void {
    this.#doubted = batches;
    for (const { items, answer } of batches) {
      const cause = answer!.kind === 'failed' ? answer!.error : undefined;
      this.#parts.expiry.inTime(items, () => indefinite(this.#parts.topic, cause));
    }
  }

  /** Finds out which of the batches in doubt are stored, and closes the others. */
  async close(): Promise<void> {
    const { store, producer, topic } = this.#parts;
    const batches = this.#doubted;
    const span = { first: batches[0]!.number, last: batches.at(-1)!.number };
    const closing = await store.close(producer.id, span, batches.flatMap(({ items }) => items));
    if (closing.kind === 'failed') return this.#closingFailed(batches, closing.error);
    this.#doubted = [];
    if (closing.kind === 'closed') {
      producer.confirm(span.last);
      const { replies, unconfirmed } = closing;
      batches.forEach(({ items }, index) => {
        const reply = replies[index] ?? null;
        if (reply !== null) settleStored(items, this.#parts, { reply, unconfirmed });
      });
      return this.#again(batches.filter((_, index) => (replies[index] ?? null) === null));
    }
    if (closing.kind === 'gap') {
      this.#lost(closing.last);
      return this.#again(batches);
    }
    for (const { items } of batches) rejectAll(items, indefinite(topic, undefined));
    producer.renew();
  }

  async #closingFailed(batches: readonly SentBatch[], error: MillraceError): Promise<void> {
    const { topic, queue, expiry } = this.#parts;
    const inDoubt = batches.flatMap(({ items }) => items);
    const late = (): MillraceError => indefinite(topic, error);
    if (isFinal(error)) {
      rejectAll(inDoubt, late());
      rejectAll(queue.takeAll(), error);
      return;
    }
    const pauseMs = this.#nextPause();
    expiry.inTime(inDoubt, late, pauseMs);
    await this.#pause(pauseMs);
  }

  /** None of these is stored, nor will be: the open messages are sent again when that can succeed. */
  async #again(batches: readonly SentBatch[]): Promise<void> {
    const head = batches[0];
    if (!head) return;
    const pauseMs = this.#nextPause();
    for (const { items, answer } of batches) if (answer!.kind === 'failed') this.#failed(items, answer!.error, pauseMs);
    const error = await this.#madeReady(batches, head.answer!);
    if (error) this.#failed(head.items, error, pauseMs);
    this.#parts.queue.putBack(batches.flatMap(({ open }) => open));
    if (error) await this.#pause(pauseMs);
  }

  #failed(items: readonly QueuedMessage[], error: MillraceError, pauseMs: number): void {
    if (isFinal(error)) rejectAll(items, error);
    else this.#parts.expiry.inTime(items, () => refused(this.#parts.topic, error.message, error), pauseMs);
  }

  /** Removes the obstacle of the first batch. @returns the error when that failed or is impossible */
  async #madeReady(batches: readonly SentBatch[], answer: Answer): Promise<MillraceError | null> {
    if (answer.kind === 'failed') return isFinal(answer.error) ? null : answer.error;
    if (answer.kind === 'full') return this.#makeRoom(batches[0]!.items);
    if (answer.kind === 'stale') rejectAll(batches[0]!.items, indefinite(this.#parts.topic, undefined));
    const { declare, learn } = this.#parts;
    const error = answer.kind === 'undeclared' ? await done(declare) : answer.kind === 'moved' ? await done(learn) : null;
    // Claims may be lost together with the partition.
    if (answer.kind === 'undeclared' || answer.kind === 'unclaimed') claimAnew(batches.flatMap(({ open }) => open));
    return error;
  }

  /** The next batch is as large as there is room for; without room, these messages are rejected. */
  async #makeRoom(items: readonly QueuedMessage[]): Promise<MillraceError | null> {
    try {
      const retained = this.#parts.retained!;
      const { messages, blockingGroup: group } = await retained.makeRoom(items.length);
      if (messages === 0) rejectAll(items, noRoom(this.#parts, group === null ? null : await retained.blockingGroup(group)));
      else this.mostInBatch = messages;
      return null;
    } catch (thrown) {
      const { kind, message } = redisFailure(thrown, 'trim');
      // Whether the trim was done may be unknown, but the messages are certainly not stored.
      return new RedisFailure(kind === 'indeterminate' ? 'unavailable' : kind, message, thrown);
    }
  }

  /** Redis lost batches that it had confirmed: the sequence cannot go on, as its state is unknown. */
  #lost(last: number): void {
    const { producer, topic, partition } = this.#parts;
    const { confirmed, isForgotten } = producer;
    producer.renew();
    if (isForgotten) return;
    const why = `batch ${confirmed} was confirmed, and Redis knows none after ${last}`;
    emit('publishes-lost', { topic, partition, batches: confirmed - last, why });
  }

  #nextPause(): number {
    return this.#pauses.next().value as number;
  }

  async #pause(pauseMs: number): Promise<void> {
    const { queue, expiry, topic } = this.#parts;
    queue.keep((items) => expiry.inTime(items, () => unsent(topic), pauseMs));
    await this.#parts.pause(pauseMs);
  }
}

async function done(work: () => Promise<void>): Promise<MillraceError | null> {
  try {
    await work();
    return null;
  } catch (thrown) {
    return thrown instanceof MillraceError ? thrown : redisFailure(thrown, 'declare');
  }
}

function claimAnew(batch: readonly QueuedMessage[]): void {
  for (const item of batch) if (isKeyed(item)) item.use.claimFor(item);
}
