import type { TopicDefinition } from '@millrace/core';
import type { Topology } from '@millrace/redis';
import { partitionKeys } from '../keys.js';
import type { PartitionCounts } from '../log/partition-counts.js';
import { placeOf } from '../publish/partitioner.js';
import { type Numbered, recordName } from './forward-store.js';

export interface EarlierRecordsParts {
  readonly redis: Topology;
  readonly prefix: string;
  readonly counts: PartitionCounts;
}

/**
 * Messages that were stored before their topic was given more partitions. Once the new number stands, no partition stores by
 * an earlier one any more: a record of that time stays as it is, and tells for good which messages were stored.
 */
export class EarlierRecords {
  readonly #parts: EarlierRecordsParts;
  /** The last number that is stored, by partition, lane and number of partitions. */
  readonly #known = new Map<string, number>();

  constructor(parts: EarlierRecordsParts) {
    this.#parts = parts;
  }

  has({ name }: TopicDefinition): boolean {
    return this.#earlierOf(name).length > 0;
  }

  async isStored(source: string, topic: TopicDefinition, { number, item }: Numbered): Promise<boolean> {
    for (const partitions of this.#earlierOf(topic.name)) {
      const partition = placeOf(item.routingKey, partitions);
      if (number <= (await this.#lastOf({ topic: topic.name, partition }, recordName(source, partitions)))) return true;
    }
    return false;
  }

  #earlierOf(topic: string): number[] {
    return this.#parts.counts.earlierWithin(topic, Number.POSITIVE_INFINITY);
  }

  async #lastOf({ topic, partition }: { readonly topic: string; readonly partition: number }, record: string): Promise<number> {
    const name = `${partition}:${topic}:${record}`;
    const known = this.#known.get(name);
    if (known !== undefined) return known;
    const { producers } = partitionKeys(this.#parts.prefix, topic, partition);
    const last = Number((await this.#parts.redis.publishFor(producers).call('HGET', producers, record)) ?? 0);
    this.#known.set(name, last);
    return last;
  }
}
