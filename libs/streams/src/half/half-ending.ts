import { IdempotencyMismatchError, type PublishResult } from '@millrace/core';
import type { RedisConnection } from '@millrace/redis';
import { Unconfirmed } from '../durable/confirmation.js';
import type { PartitionCounts } from '../log/partition-counts.js';
import type { TopicLog } from '../log/topic-log.js';
import { placeOf } from '../publish/partitioner.js';
import type { PublishBudget } from '../publish/publish-budget.js';
import { type KeyedMessage, KeyUse, LoneMessage } from '../publish/queued-message.js';
import { mismatch } from '../publish/refusals.js';
import type { TopicClaimers } from '../publish/topic-claimers.js';
import { indefiniteCommit, transactionEnded } from './half-errors.js';
import type { HalfIndex } from './half-index.js';
import type { HalfPartition } from './half-partition.js';
import { duplicateEnd, halfEndOf, type HalfPlace, type RolledBackBy } from './half-record.js';
import { AGAIN } from './tries.js';

export interface HalfEndingParts {
  readonly log: TopicLog;
  readonly counts: PartitionCounts;
  readonly budget: PublishBudget;
  readonly index: HalfIndex;
  readonly claimers: TopicClaimers;
  readonly partitionAt: (partition: number) => HalfPartition;
  /** By the monotonic clock. */
  readonly giveUpAt: number;
}

/**
 * A claim of an idempotency key: the window that it is in, or null when there was nothing to claim; or the result of an earlier
 * use.
 */
type Claimed = { readonly claimedIn: number | null } | { readonly earlier: PublishResult };

const UNCLAIMED: Claimed = { claimedIn: null };

type Work = 'commit' | 'rollback';

/**
 * The way of one half message to its end, over partitions if need be: after a raise it belongs to another one, and only there it
 * is published. It is stored there first, with the partition that it comes from; then it leaves that one; and it may end where
 * it is only when it has left.
 */
export class HalfEnding {
  readonly #parts: HalfEndingParts;
  readonly #place: HalfPlace;
  #at: HalfPartition;
  #hasLeft = false;
  #isSought = false;

  constructor(parts: HalfEndingParts, place: HalfPlace) {
    this.#parts = parts;
    this.#place = place;
    this.#at = parts.partitionAt(place.partition);
  }

  get redis(): RedisConnection {
    return this.#at.redis;
  }

  async tryCommit(): Promise<PublishResult | typeof AGAIN> {
    const { topic, id, terms, routingKey } = this.#place;
    const partitions = this.#parts.counts.of(topic);
    const isHere = placeOf(routingKey, partitions) === this.#at.partition;
    const claimed = isHere ? await this.#claimed(partitions) : UNCLAIMED;
    if (claimed === null) return AGAIN;
    if ('earlier' in claimed) return this.#endAsDuplicate(claimed.earlier);
    const half = { id, terms, partitions: isHere ? partitions : null, ...claimed, hasLeft: this.#hasLeft };
    const { reply, shortfall } = await this.#at.commit(half);
    if (shortfall && !(shortfall instanceof Unconfirmed)) throw shortfall;
    const text = String(reply);
    if (/^[+=]/.test(text)) {
      if (shortfall) throw indefiniteCommit(topic.name, shortfall.message, shortfall);
      return this.#resultOf(text);
    }
    if (text.startsWith('!')) throw mismatch(topic.name, terms.key ?? '', text.slice(1));
    return this.#goOn(text, 'commit');
  }

  async tryRollback(by: RolledBackBy): Promise<true | typeof AGAIN> {
    const reply = await this.#at.end(this.#place.id, `rolled-back ${by}`, this.#hasLeft);
    if (reply === 'OK' || reply.startsWith('ENDED rolled-back') || reply.startsWith('ENDED refused')) return true;
    return this.#goOn(reply, 'rollback');
  }

  #resultOf(reply: string): PublishResult {
    const [offset, id] = reply.slice(1).split(' ');
    return { id: id!, partition: this.#at.partition, offset: offset === '-' ? null : Number(offset), duplicate: reply.startsWith('=') };
  }

  async #goOn(reply: string, work: Work): Promise<typeof AGAIN> {
    const { topic } = this.#place;
    if (reply.startsWith('ENDED')) this.#follow(reply, work);
    else if (reply.startsWith('FROM ')) await this.#leave(Number(reply.slice(5)), this.#at);
    else if (reply === 'MOVED') await this.#move();
    else if (reply === 'UNDECLARED') await this.#parts.log.restore(topic);
    return AGAIN;
  }

  /** It is not here. @throws TransactionEndedError when it is nowhere */
  #follow(reply: string, work: Work): void {
    const { topic, routingKey } = this.#place;
    const end = halfEndOf(reply.slice(5));
    if (end.kind === 'moved') return this.#goTo(end.partition);
    const usual = placeOf(routingKey, this.#parts.counts.of(topic));
    if (end.kind !== 'unknown' || this.#isSought || usual === this.#at.partition) throw transactionEnded(topic.name, work, end);
    this.#isSought = true;
    return this.#goTo(usual);
  }

  #goTo(partition: number): void {
    this.#at = this.#parts.partitionAt(partition);
    this.#hasLeft = false;
  }

  /** The topic has another number of partitions than when it was stored: the half message goes where it belongs by now. */
  async #move(): Promise<void> {
    const { topic, id, routingKey } = this.#place;
    const { partitions } = await this.#parts.log.learn(topic, this.#at.partition);
    const partition = placeOf(routingKey, partitions);
    if (partition === this.#at.partition) return;
    const record = await this.#at.read(id);
    if (!record) return;
    if (record.from !== null) await this.#leave(record.from, this.#at);
    const target = this.#parts.partitionAt(partition);
    const before = { partition: this.#at.partition, storedAtMs: record.storedAtMs, checks: record.checks };
    const { terms, envelope } = record;
    const due = { partition, dueInMs: terms.checkAfterMs, durability: terms.durability };
    const promisedUntil = await this.#parts.index.promise(topic, due);
    const half = { id, terms, envelope, partitions, promisedUntil, retention: null, before };
    const { reply, shortfall } = await target.prepare(half);
    if (shortfall) throw shortfall;
    if (reply === 'LATE') this.#parts.index.forget(topic, partition, terms.durability);
    if (reply !== '+' && reply !== '=' && !String(reply).startsWith('ENDED')) return;
    await this.#leave(this.#at.partition, target);
    this.#at = target;
    this.#hasLeft = true;
  }

  /** Its end where it came from, if it has one, holds where it is. */
  async #leave(from: number, to: HalfPartition): Promise<void> {
    const { id } = this.#place;
    const reply = await this.#parts.partitionAt(from).end(id, `moved ${to.partition}`, true);
    // One that somebody else has moved meanwhile has left all the same, and comes to the same partition: ends that name each
    // other would lose it.
    if (/^ENDED (committed|rolled-back|refused)/.test(reply)) await to.end(id, reply.slice('ENDED '.length), true);
    this.#hasLeft = true;
  }

  /** A key whose uses another partition knows is claimed there first, as for a publish. Null: to be tried again. */
  async #claimed(partitions: number): Promise<Claimed | null> {
    const { terms: { key, digest, durability }, id, routingKey } = this.#place;
    const { claimers, budget, giveUpAt } = this.#parts;
    const partition = this.#at.partition;
    const claimer = key === undefined ? null : claimers.of({ idempotencyKey: key, partition, partitions, durability });
    if (key === undefined || digest === undefined || !claimer) return UNCLAIMED;
    const use = new KeyUse({ key, digest, partition, claimer, onHeldUp: () => undefined });
    budget.take(0);
    const item = new LoneMessage({ id, routingKey, text: '', bytes: 0, giveUpAt, due: '', use, budget });
    await claimer.claim(item as KeyedMessage);
    const { isOpen } = item;
    // It stands for the half message, and is none itself.
    item.resolve({ id, partition, offset: null, duplicate: false });
    if (isOpen) return { claimedIn: use.claimedIn };
    try {
      return { earlier: await item.result };
    } catch (thrown) {
      if (thrown instanceof IdempotencyMismatchError && !(await this.#endAsRefused())) return null;
      throw thrown;
    }
  }

  /** @returns false when it may be elsewhere, too */
  async #endAsRefused(): Promise<boolean> {
    const reply = await this.#at.end(this.#place.id, 'refused @unknown', this.#hasLeft);
    if (!reply.startsWith('FROM ')) return true;
    await this.#goOn(reply, 'commit');
    return false;
  }

  async #endAsDuplicate(earlier: PublishResult): Promise<PublishResult | typeof AGAIN> {
    const reply = await this.#at.end(this.#place.id, duplicateEnd(earlier), this.#hasLeft);
    if (reply !== 'OK' && !reply.startsWith('ENDED committed')) return this.#goOn(reply, 'commit');
    return { ...earlier, duplicate: earlier.id !== this.#place.id };
  }
}
