import { MillraceError, type OutgoingHalf, type StoredHalf, type TopicDefinition } from '@millrace/core';
import type { PartitionCounts } from '../log/partition-counts.js';
import { encodeEnvelope } from '../log/envelope.js';
import type { TopicLog } from '../log/topic-log.js';
import { partitionOf, routingKeyOf } from '../publish/partitioner.js';
import type { PublishBudget } from '../publish/publish-budget.js';
import { adviceOn, bufferFull } from '../publish/refusals.js';
import { Unconfirmed } from '../durable/confirmation.js';
import type { RetainedPartition } from '../retain/retained-partition.js';
import { indefiniteHalf, noRoomForHalf, notStored, transactionEnded } from './half-errors.js';
import type { HalfIndex } from './half-index.js';
import type { HalfPartition } from './half-partition.js';
import { halfEndOf, type HalfPlace, type HalfTerms, termsOf } from './half-record.js';
import type { HalfSettler } from './half-settler.js';
import { AGAIN, tried } from './tries.js';

export interface HalfPublisherParts {
  readonly log: TopicLog;
  readonly counts: PartitionCounts;
  readonly budget: PublishBudget;
  readonly index: HalfIndex;
  readonly settler: HalfSettler;
  /** Default deadline of a publish. */
  readonly deadlineMs: number;
  /** Null when the topic keeps everything. */
  readonly retained: (topic: TopicDefinition, partition: number) => RetainedPartition | null;
  /** A half message of the topic was stored, which is due in so many milliseconds. */
  readonly stored: (topic: TopicDefinition, dueInMs: number) => void;
}

/** A half message on its way to its partition. */
interface HalfOnItsWay {
  readonly topic: TopicDefinition;
  readonly half: OutgoingHalf;
  readonly terms: HalfTerms;
  readonly envelope: string;
}

/** The partition that it goes to, and the number of partitions from which that follows. */
interface HalfTarget {
  readonly at: HalfPartition;
  readonly partitions: number;
}

/** Stores half messages, and commits or rolls them back for their publishers. */
export class HalfPublisher {
  readonly #parts: HalfPublisherParts;
  readonly #underWay = new Set<Promise<unknown>>();
  #endsAt = Number.POSITIVE_INFINITY;
  #isClosed = false;

  constructor(parts: HalfPublisherParts) {
    this.#parts = parts;
  }

  async store(topic: TopicDefinition, half: OutgoingHalf): Promise<StoredHalf> {
    if (this.#isClosed) throw new MillraceError('CLOSED', `No half message was stored for '${topic.name}': this process is shutting down.`);
    const { budget, settler, stored } = this.#parts;
    const { message, sendOptions, checkAfterMs } = half;
    const terms = termsOf(half, sendOptions?.durability ?? topic.durability);
    const envelope = encodeEnvelope(message);
    const bytes = Buffer.byteLength(envelope);
    if (!budget.take(bytes)) throw bufferFull(topic.name, budget.bytes);
    try {
      const partition = await this.#counted(this.#store({ topic, half, terms, envelope }));
      stored(topic, checkAfterMs);
      const place: HalfPlace = { topic, id: message.id, routingKey: routingKeyOf(message), terms, partition };
      const withinMs = this.#withinMs(half);
      return {
        partition,
        commit: () => this.#counted(settler.commit(place, withinMs)),
        rollback: () => this.#counted(settler.rollback(place, 'caller', withinMs)),
      };
    } finally {
      budget.giveBack(bytes);
    }
  }

  /** Refuses new half messages, and resolves when what is under way is settled, within `deadlineMs`. */
  async close(deadlineMs: number): Promise<void> {
    this.#isClosed = true;
    this.#endsAt = performance.now() + deadlineMs;
    this.#parts.settler.limit(deadlineMs);
    await Promise.allSettled(this.#underWay);
  }

  async #counted<T>(work: Promise<T>): Promise<T> {
    this.#underWay.add(work);
    try {
      return await work;
    } finally {
      this.#underWay.delete(work);
    }
  }

  #withinMs({ sendOptions }: OutgoingHalf): number {
    return sendOptions?.deadlineMs ?? this.#parts.deadlineMs;
  }

  /** @returns its partition, which stays the same for all tries until that says that the topic has another number of them */
  #store(way: HalfOnItsWay): Promise<number> {
    const { topic, half } = way;
    const { name } = topic;
    const giveUpAt = performance.now() + this.#withinMs(half);
    let { at, partitions } = this.#usual(way);
    return tried(
      {
        giveUpAt: () => Math.min(giveUpAt, this.#endsAt),
        redis: () => at.redis,
        late: (cause, inDoubt) =>
          inDoubt ? indefiniteHalf(name, cause!.message, cause) : notStored(name, cause?.message ?? 'its time was up.', cause),
        doubted: (cause) => indefiniteHalf(name, cause.message, cause),
      },
      async () => {
        const answer = await this.#tryStore(way, { at, partitions });
        if (answer === 'stored') return at.partition;
        if (answer === 'moved') ({ at, partitions } = this.#usual(way));
        return AGAIN;
      },
    );
  }

  #usual({ topic, half: { message } }: HalfOnItsWay): HalfTarget {
    const partitions = this.#parts.counts.of(topic);
    return { at: this.#parts.settler.partitionOf(topic, partitionOf(message, partitions)), partitions };
  }

  async #tryStore(way: HalfOnItsWay, { at, partitions }: HalfTarget): Promise<'stored' | 'moved' | 'again'> {
    const { topic, half: { message: { id } }, terms, envelope } = way;
    const { index, retained, log } = this.#parts;
    const { partition } = at;
    const { durability, checkAfterMs: dueInMs } = terms;
    const promisedUntil = await index.promise(topic, { partition, dueInMs, durability });
    const { retention = null } = retained(topic, partition) ?? {};
    const { reply, shortfall } = await at.prepare({ id, terms, envelope, partitions, promisedUntil, retention, before: null });
    const answer = String(reply);
    if (answer === '+' || answer === '=') return stored(topic.name, shortfall);
    if (answer.startsWith('ENDED')) throw transactionEnded(topic.name, 'commit', halfEndOf(answer.slice(5)));
    if (answer === 'MOVED') {
      await log.learn(topic, partition);
      return 'moved';
    }
    if (answer === 'LATE') index.forget(topic, partition, durability);
    else if (answer === 'UNDECLARED') await log.restore(topic);
    else if (answer.startsWith('FULL ')) await this.#makeRoom(topic, partition, Number(answer.slice(5)));
    return 'again';
  }

  /** @param wanted messages that there must be room for: all half messages, and this one */
  async #makeRoom(topic: TopicDefinition, partition: number, wanted: number): Promise<void> {
    const retained = this.#parts.retained(topic, partition);
    if (!retained) return;
    const { messages, blockingGroup } = await retained.makeRoom(wanted);
    if (messages >= wanted) return;
    const group = blockingGroup === null ? null : await retained.blockingGroup(blockingGroup);
    throw noRoomForHalf(topic.name, partition, group === null ? 'Let its groups catch up' : adviceOn(group));
  }
}

function stored(topic: string, shortfall: Error | null): 'stored' {
  if (shortfall === null) return 'stored';
  throw shortfall instanceof Unconfirmed ? indefiniteHalf(topic, shortfall.message, shortfall) : shortfall;
}
