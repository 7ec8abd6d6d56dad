import { MillraceError, type Outgoing, type OutgoingMessage, type PublishResult, type SendOptions } from '@millrace/core';
import type { RedisConnection } from '@millrace/redis';
import { Admission } from './admission.js';
import { type Place, settleStored } from './batch.js';
import { Expiry } from './expiry.js';
import { MessageOfMany, type PlaceAmongMany } from './outcomes.js';
import { untilWorthIt } from './pace.js';
import { PartitionStore, type StoreParts } from './partition-store.js';
import { Producer } from './producer.js';
import type { PublishBudget } from './publish-budget.js';
import { PublishQueue } from './publish-queue.js';
import { type Claimer, isKeyed, LoneMessage, type QueuedMessage } from './queued-message.js';
import { Recovery } from './recovery.js';
import { unsent } from './refusals.js';
import { SentBatch } from './sent-batch.js';
import { nextStep, type Step } from './steps.js';

export interface BatcherParts extends StoreParts {
  readonly redis: RedisConnection;
  readonly topic: string;
  readonly partition: number;
  /** Default deadline of a publish. */
  readonly deadlineMs: number;
  /** Shared by all partitions. */
  readonly budget: PublishBudget;
  /** Makes the partition again, when Redis has lost it. */
  readonly declare: () => Promise<void>;
  /** Learns how many partitions the topic has, as it was raised. */
  readonly learn: () => Promise<void>;
}

/**
 * Gathers messages that are published to one partition in the same tick into batches; several batches are in flight at once.
 * They are stored in their order, each once, also when earlier ones fail.
 */
export class PartitionBatcher {
  readonly #place: Place;
  readonly #admission: Admission;
  readonly #store: PartitionStore;
  readonly #recovery: Recovery;
  readonly #queue = new PublishQueue();
  readonly #producer = new Producer();
  readonly #expiry = new Expiry();
  /** Batches that were sent and are not settled, in their order. */
  #inFlight: SentBatch[] = [];
  /** Messages that wait for their idempotency keys to be claimed. */
  #unclaimed: readonly QueuedMessage[] = [];
  /** Whether a batch was stored since the queue was last empty. */
  #hasStored = false;
  #flushing: Promise<void> | null = null;
  #isHalted = false;
  #wake: () => void = () => undefined;

  constructor(parts: BatcherParts) {
    const { topic, partition, redis } = parts;
    this.#place = { topic, partition };
    this.#admission = new Admission(parts, (pauseMs) => this.#heldUp(pauseMs));
    this.#store = new PartitionStore(parts);
    const own = { store: this.#store, queue: this.#queue, producer: this.#producer, expiry: this.#expiry };
    this.#recovery = new Recovery({ ...parts, ...own, pause: (pauseMs) => untilWorthIt(redis, pauseMs) });
  }

  /** @param claimer claims the message's idempotency key for the whole topic; null when there is nothing to claim */
  publish(message: OutgoingMessage, sendOptions?: SendOptions, claimer: Claimer | null = null): Promise<PublishResult> {
    const admitted = this.#admission.admit({ message, sendOptions }, claimer);
    if (admitted instanceof MillraceError) return Promise.reject(admitted);
    const item = new LoneMessage(admitted);
    this.#add(item);
    return item.result;
  }

  /** As {@link publish}, for one of several messages that are published together. */
  publishOneOf(one: Outgoing, place: PlaceAmongMany, claimer: Claimer | null): void {
    const admitted = this.#admission.admit(one, claimer);
    if (admitted instanceof MillraceError) place.outcomes.set(place.index, admitted);
    else this.#add(new MessageOfMany(admitted, place));
  }

  /** Takes over a message that was to go to another partition, as the topic had another number of them. */
  takeOver(item: QueuedMessage, claimer: Claimer | null): void {
    if (isKeyed(item)) this.#admission.takeOver(item, claimer);
    this.#add(item);
  }

  /** Sends nothing more until {@link resume}. Resolves when each message is settled, or is known not to be stored and waits. */
  async halt(): Promise<void> {
    this.#isHalted = true;
    this.#wake();
    await this.#flushing;
    await Promise.all(this.#queue.items.flatMap(({ use }) => use?.claimed ?? []));
  }

  /** Takes out all messages that wait, in their order. */
  takeWaiting(): QueuedMessage[] {
    return this.#queue.takeAll().filter(({ isOpen }) => isOpen);
  }

  resume(): void {
    this.#isHalted = false;
    for (const item of this.#queue.items) if (isKeyed(item) && item.use.claimed === null) item.use.claimFor(item);
    if (this.#queue.length > 0) this.#begin();
  }

  /** Resolves when all publishes so far are settled, stored or rejected, within `deadlineMs`. */
  async drain(deadlineMs: number): Promise<void> {
    this.#expiry.limit(deadlineMs);
    await this.#flushing;
  }

  #add(item: QueuedMessage): void {
    this.#queue.add(item);
    // The key may belong elsewhere by the time the message may be sent.
    if (isKeyed(item) && !this.#isHalted) item.use.claimFor(item);
    if (this.#flushing === null) this.#begin();
    else if (this.#queue.hasFullBatch && this.#inFlight.length < this.#recovery.mostInFlight) this.#wake();
  }

  #begin(): void {
    if (!this.#isHalted) this.#flushing ??= atEndOfTick().then(() => this.#flush());
  }

  async #flush(): Promise<void> {
    this.#hasStored = false;
    for (let step = this.#nextStep(); step !== 'stop'; step = this.#nextStep()) await this.#take(step);
    this.#flushing = null;
  }

  #nextStep(): Step {
    const { mostInFlight, inDoubt, isAwaited } = this.#recovery;
    const { length: waiting, hasFullBatch } = this.#queue;
    const { length: inFlight, [0]: head } = this.#inFlight;
    const isRefused = (head?.answer?.kind ?? 'stored') !== 'stored';
    return nextStep({ waiting, hasFullBatch, inFlight, mostInFlight, isRefused, inDoubt, isAwaited, isHalted: this.#isHalted });
  }

  #take(step: Exclude<Step, 'stop'>): Promise<void> {
    if (step === 'send') return this.#send();
    if (step === 'wait') return new Promise((resolve) => (this.#wake = resolve));
    if (step === 'close') return this.#recovery.close();
    return this.#recovery.recover(this.#inFlight.splice(0));
  }

  async #send(): Promise<void> {
    const taken = this.#queue.take(this.#recovery.mostInBatch);
    const items = this.#inTime(isClaimed(taken) ? taken : await this.#claimed(taken));
    if (items.length === 0) return;
    const number = this.#producer.take();
    const { id: producer, confirmed } = this.#producer;
    const follows = this.#hasStored || this.#inFlight.length > 0;
    const sent = new SentBatch({ number, items, confirmed }, this.#store.publish({ producer, number, items, follows }));
    this.#inFlight.push(sent);
    void sent.answered.then(() => this.#answered());
  }

  /** Settles stored batches in their order, up to the first one that is not stored: that is recovered later. */
  #answered(): void {
    for (let head = this.#inFlight[0]; head?.answer?.kind === 'stored'; head = this.#inFlight[0]) {
      this.#inFlight.shift();
      this.#hasStored = true;
      this.#producer.confirm(head.number);
      this.#recovery.succeeded();
      settleStored(head.items, this.#place, head.answer);
    }
    this.#wake();
  }

  /** The messages of a batch once their idempotency keys are claimed. The batch waits as a whole, to keep the order. */
  async #claimed(batch: readonly QueuedMessage[]): Promise<QueuedMessage[]> {
    this.#unclaimed = batch;
    await Promise.all(batch.flatMap(({ use }) => use?.claimed ?? []));
    this.#unclaimed = [];
    return batch.filter(({ isOpen }) => isOpen);
  }

  /** While a claim is tried again, the deadlines of its batch and of those behind it go on. */
  #heldUp(pauseMs: number): void {
    this.#inTime(this.#unclaimed, pauseMs);
    this.#queue.keep((items) => this.#inTime(items, pauseMs));
  }

  #inTime(items: readonly QueuedMessage[], pauseMs = 0): QueuedMessage[] {
    return this.#expiry.inTime(items, () => unsent(this.#place.topic), pauseMs);
  }
}

function isClaimed(batch: readonly QueuedMessage[]): boolean {
  return batch.every(({ use }) => use === null || use.claimed === null);
}

/** Resolves after the callers that were answered in this tick went on: many publish again at once. */
function atEndOfTick(): Promise<void> {
  return new Promise((resolve) => process.nextTick(resolve));
}
