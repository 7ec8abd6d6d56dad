import {
  asError, type DueTime, MillraceError, type Outgoing, type OutgoingMessage, type PublishResult, type PublishTerms,
  sortedJson, useDigest,
} from '@millrace/core';
import { loadScript, type RedisConnection, RedisFailure, redisFailure } from '@millrace/redis';
import { SETTLED_PAGE_OFFSETS } from '../keys.js';
import { encodeEnvelope } from '../log/envelope.js';
import { boundsOf, type RetainedPartition } from '../retain/retained-partition.js';
import { duesOf, entriesOf, rejectAll, settleBatch, usesOf } from './batch.js';
import type { Confirmation } from './confirmation.js';
import { MessageOfMany, type PlaceAmongMany } from './outcomes.js';
import { pauses, untilWorthIt } from './pace.js';
import type { Packing } from './packing.js';
import type { PublishBudget } from './publish-budget.js';
import { type Claimer, isKeyed, KeyUse, LoneMessage, openAt, type QueuedMessage, type QueuedMessageParts } from './queued-message.js';
import { bufferFull, indefinite, noRoom, refused, unsent } from './refusals.js';

const publishBatch = loadScript('../scripts/publish.lua', import.meta.url);

const MAX_BATCH_MESSAGES = 256;
const MAX_BATCH_BYTES = 1024 * 1024;
/** Replies of the script that say that nothing is stored. */
const UNSTORED: readonly unknown[] = ['UNDECLARED', 'STALE', 'UNCLAIMED', 'FULL'];

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
  /** Messages that wait for their idempotency keys to be claimed. */
  #unclaimed: readonly QueuedMessage[] = [];
  #sequence = 0;
  #flushing: Promise<void> | null = null;
  #giveUpAt = Number.POSITIVE_INFINITY;

  constructor(parts: BatcherParts) {
    this.#parts = parts;
  }

  /** @param claimer claims the message's idempotency key for the whole topic; null when there is nothing to claim */
  publish(message: OutgoingMessage, terms?: PublishTerms, claimer: Claimer | null = null): Promise<PublishResult> {
    const parts = this.#taken({ message, terms }, claimer);
    if (parts === null) return Promise.reject(this.#bufferFull());
    const item = new LoneMessage(parts);
    this.#add(item);
    return item.result;
  }

  /** As {@link publish}, for one of many that are published together. */
  publishOneOf(one: Outgoing, place: PlaceAmongMany, claimer: Claimer | null): void {
    const parts = this.#taken(one, claimer);
    if (parts === null) place.outcomes.set(place.index, this.#bufferFull());
    else this.#add(new MessageOfMany(parts, place));
  }

  /** Resolves when all that was published so far is settled, one way or the other; nothing is tried longer than `deadlineMs`. */
  async drain(deadlineMs: number): Promise<void> {
    this.#giveUpAt = performance.now() + deadlineMs;
    await this.#flushing;
  }

  /** Null when the budget has no room for it. */
  #taken({ message, terms }: Outgoing, claimer: Claimer | null): QueuedMessageParts | null {
    const { budget, deadlineMs } = this.#parts;
    const text = encodeEnvelope(message);
    const bytes = Buffer.byteLength(text);
    if (!budget.take(bytes)) return null;
    const giveUpAt = Math.floor(performance.now() + (terms?.deadlineMs ?? deadlineMs));
    const use = message.idempotencyKey === null ? null : this.#useOf({ message, terms }, claimer);
    return { id: message.id, text, bytes, giveUpAt, due: dueText(terms?.due), use, budget };
  }

  #useOf({ message, terms }: Outgoing, claimer: Claimer | null): KeyUse {
    const { partition } = this.#parts;
    const digest = terms?.digest ?? digestOf(message);
    return new KeyUse({ key: message.idempotencyKey!, digest, partition, claimer, onHeldUp: this.#heldUp });
  }

  #add(item: QueuedMessage): void {
    this.#queue.push(item);
    if (isKeyed(item)) item.use.claimFor(item);
    this.#flushing ??= Promise.resolve().then(() => this.#flush());
  }

  #bufferFull(): MillraceError {
    return bufferFull(this.#parts.topic, this.#parts.budget.bytes);
  }

  async #flush(): Promise<void> {
    for (let follows = false; this.#queue.length > 0; follows = true) await this.#send(this.#nextBatch(), follows);
    this.#flushing = null;
  }

  #nextBatch(): QueuedMessage[] {
    const most = Math.min(this.#queue.length, MAX_BATCH_MESSAGES);
    let count = 1;
    for (let bytes = this.#queue[0]!.bytes; count < most; count += 1) {
      bytes += this.#queue[count]!.bytes;
      if (bytes > MAX_BATCH_BYTES) break;
    }
    return this.#queue.splice(0, count);
  }

  async #send(queued: readonly QueuedMessage[], follows: boolean): Promise<void> {
    const batch = this.#inTime(await this.#claimed(queued), () => this.#unsent());
    if (batch.length === 0) return;
    this.#sequence += 1;
    try {
      await this.#store(batch, follows);
    } catch (error) {
      rejectAll(batch, asError(error));
    }
  }

  /** The rest of a batch when its idempotency keys are claimed. The order of messages stays, so it waits as a whole. */
  async #claimed(batch: readonly QueuedMessage[]): Promise<readonly QueuedMessage[]> {
    if (batch.every(({ use }) => use === null || use.claimed === null)) return batch;
    this.#unclaimed = batch;
    await Promise.all(batch.flatMap(({ use }) => use?.claimed ?? []));
    this.#unclaimed = [];
    return batch.filter(({ isOpen }) => isOpen);
  }

  async #claimedAgain(batch: readonly QueuedMessage[]): Promise<QueuedMessage[]> {
    for (const item of batch) if (isKeyed(item)) item.use.claimFor(item);
    return [...(await this.#claimed(batch))];
  }

  /** While a claim is tried again, the time of what waits with it, and behind it, goes on. */
  readonly #heldUp = (pauseMs: number): void => {
    this.#inTime(this.#unclaimed, () => this.#unsent(), pauseMs);
    this.#queue = this.#inTime(this.#queue, () => this.#unsent(), pauseMs);
  };

  /** Rejects what would be over after `pauseMs`, and nothing else; a message's time begins when it is published. */
  #inTime(items: readonly QueuedMessage[], late: () => MillraceError, pauseMs = 0): QueuedMessage[] {
    return openAt(items, performance.now() + pauseMs, { giveUpAt: this.#giveUpAt, late });
  }

  /** Sends one batch until Redis answers or nobody waits for it any more. */
  async #store(queued: readonly QueuedMessage[], follows: boolean): Promise<void> {
    const { topic } = this.#parts;
    let batch = queued;
    let indeterminate = false;
    for (const pauseMs of pauses()) {
      let answer: string | RedisFailure | QueuedMessage[] = await this.#try(this.#arguments(batch, follows));
      if (isUnready(answer)) {
        // Nothing is stored, whatever became of earlier tries: what was stored would have been answered.
        indeterminate = false;
        answer = await this.#madeReady(batch, answer);
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
      const late = (): MillraceError => (indeterminate ? indefinite(topic, answer) : refused(topic, answer.message, answer));
      if (answer.kind === 'fatal' || answer.kind === 'back-pressure') throw indeterminate ? late() : answer;
      const open = this.#inTime(batch, late, pauseMs);
      if (open.length === 0) return;
      // What was sent and not answered may be stored: the sequence stands for exactly that batch.
      if (!indeterminate) batch = open;
      this.#queue = this.#inTime(this.#queue, () => this.#unsent(), pauseMs);
      await untilWorthIt(this.#parts.redis, pauseMs);
    }
  }

  #madeReady(batch: readonly QueuedMessage[], answer: Unready): Promise<QueuedMessage[] | RedisFailure> {
    return answer === 'FULL' ? this.#makeRoom(batch) : this.#claimedAgain(batch);
  }

  /** What there is room for; the rest goes back to the queue, or, without any room, to its callers. */
  async #makeRoom(batch: readonly QueuedMessage[]): Promise<QueuedMessage[] | RedisFailure> {
    try {
      const retained = this.#parts.retained!;
      const { messages, holder } = await retained.makeRoom(batch.length);
      if (messages === 0) rejectAll(batch, noRoom(this.#parts, holder === null ? null : await retained.holder(holder)));
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
    const perEntry = packing({ messages: batch.length, follows });
    const limits = [SETTLED_PAGE_OFFSETS, ...boundsOf(retained?.retention ?? null)];
    const head = [this.#sequence, longestTime(batch), batch.length, perEntry, ...limits];
    return [...head, idempotencyWindowMs, oldestClaim(batch), usesOf(batch), duesOf(batch), ...entriesOf(batch, perEntry)];
  }

  async #try(args: readonly (string | number)[]): Promise<string | RedisFailure> {
    try {
      const reply = await this.#run(args);
      if (reply === 'STALE') throw indefinite(this.#parts.topic, undefined);
      if (reply !== 'UNDECLARED') return reply;
      await this.#parts.declare();
      // Claims may be lost together with the partition.
      return 'UNCLAIMED';
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

  #unsent(): MillraceError {
    return unsent(this.#parts.topic);
  }
}

function digestOf(message: OutgoingMessage): string {
  return useDigest(message, sortedJson(JSON.parse(message.payloadJson)));
}

function dueText(due: DueTime | undefined): string {
  if (due === undefined) return '';
  return 'inMs' in due ? `+${due.inMs}` : String(due.atMs);
}

/** Something is to be done before the batch is sent again. */
type Unready = 'FULL' | 'UNCLAIMED';

function isUnready(answer: unknown): answer is Unready {
  return answer === 'FULL' || answer === 'UNCLAIMED';
}

/** The number of the oldest window in which idempotency keys of the batch are claimed; empty when none had to be. */
function oldestClaim(batch: readonly QueuedMessage[]): number | '' {
  const windows = batch.flatMap(({ use }) => use?.claimedIn ?? []);
  return windows.length === 0 ? '' : Math.min(...windows);
}

/** How long the batch may be sent again, in milliseconds: what Redis keeps of it has to outlive that. */
function longestTime(batch: readonly QueuedMessage[]): number {
  return Math.max(0, Math.ceil(Math.max(...batch.map(({ giveUpAt }) => giveUpAt)) - performance.now()));
}
