import { loadScript, type RedisConnection, type Topology } from '@millrace/redis';
import { putBack } from '../redeliver/put-back.js';
import type { GroupPartition, GroupStream } from './group-partition.js';
import type { HeldEntry } from './held-entry.js';
import type { PendingDelivery } from './pending-delivery.js';

const forgetMember = loadScript('../scripts/forget-member.lua', import.meta.url);
const begin = loadScript('../scripts/begin.lua', import.meta.url);

/** Entries in one reply. */
const PAGE = 1_000;

type Pending = [id: string, owner: string, idleMs: number, deliveries: number];

export interface HoldingsParts {
  readonly redis: Topology;
  readonly prefix: string;
  readonly member: string;
}

/** The entries of one member as Redis knows them: Redis decides. */
export class Holdings {
  readonly #parts: HoldingsParts;

  constructor(parts: HoldingsParts) {
    this.#parts = parts;
  }

  /** Ids of all entries of a stream that the member holds. */
  async of(stream: GroupStream): Promise<ReadonlySet<string>> {
    const ids = new Set<string>();
    for (let page: string[] | null = null, after = '-'; !page || page.length === PAGE; after = `(${page.at(-1)!}`) {
      page = await this.#page(stream, { from: after, to: '+', count: PAGE });
      for (const id of page) ids.add(id);
      if (page.length === 0) break;
    }
    return ids;
  }

  async has({ stream, id }: HeldEntry): Promise<boolean> {
    return (await this.#page(stream, { from: id, to: id, count: 1 })).length > 0;
  }

  /**
   * Marks a message whose process vanished before as one that is about to be handled.
   * @returns false when the member does not hold it any more
   */
  async begin({ entry: { stream, id } }: PendingDelivery): Promise<boolean> {
    const { group, groupKeys } = stream.partition;
    const keys = [stream.key, groupKeys.begun];
    return (await this.#redisOf(stream.partition).run(begin, keys, [group, this.#parts.member, id])) === 1;
  }

  /**
   * Puts back entries that the member holds without knowing of them, since the reply that brought them was lost. It must not be
   * called while a read of the member is under way.
   *
   * @param known ids of the entries that the member knows of
   */
  async putBackUnknown(stream: GroupStream, known: readonly string[]): Promise<void> {
    const { prefix, member } = this.#parts;
    const tools = { redis: this.#redisOf(stream.partition), prefix };
    await putBack(tools, stream, { owner: member, fate: 'living', kept: known });
  }

  /** Whether Redis knows the member as a reader of the stream. It does not when the group is gone, or was made again. */
  async isReader({ key, partition }: GroupStream): Promise<boolean> {
    const consumers = (await this.#redisOf(partition).call('XINFO', 'CONSUMERS', key, partition.group)) as [string, string][];
    return consumers.some(([, name]) => name === this.#parts.member);
  }

  /** Whether the group is there. Without an answer it is not: making it again where it is changes nothing. */
  async hasGroup({ key, partition }: GroupStream): Promise<boolean> {
    const asked = this.#redisOf(partition).call('XINFO', 'CONSUMERS', key, partition.group);
    return asked.then(() => true, () => false);
  }

  /**
   * Says goodbye, so that nobody waits for this member. Its presence tells those who look after its partitions from now on.
   *
   * @returns false when it still holds something
   */
  async leave(partitions: readonly GroupPartition[]): Promise<boolean> {
    const forget = (partition: GroupPartition): Promise<unknown> => {
      const keys = partition.streams.map(({ key }) => key);
      const isFirst = partition === partitions[0] ? 1 : 0;
      return this.#redisOf(partition).run(forgetMember, keys, [partition.group, this.#parts.member, isFirst]);
    };
    const replies = await Promise.all(partitions.map(forget));
    return replies.every((reply) => reply === 1);
  }

  async #page({ key, partition }: GroupStream, { from, to, count }: Range): Promise<string[]> {
    const args = [key, partition.group, from, to, count, this.#parts.member];
    const pending = (await this.#redisOf(partition).call('XPENDING', ...args)) as Pending[];
    return pending.map(([id]) => id);
  }

  #redisOf({ keys }: GroupPartition): RedisConnection {
    return this.#parts.redis.publishFor(keys.log);
  }
}

interface Range {
  readonly from: string;
  readonly to: string;
  readonly count: number;
}
