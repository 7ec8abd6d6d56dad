import { isName } from '@millrace/core';
import { loadScript, type Topology } from '@millrace/redis';
import { groupKeys, halfIndexKey, type PartitionKeys, partitionKeys, rateKey, SETTLED_PAGE_OFFSETS, settledKey, topicsKey } from '../keys.js';
import { storedCount } from '../log/stored-count.js';

const beginRemoval = loadScript('../scripts/begin-removal.lua', import.meta.url);
const remove = loadScript('../scripts/remove.lua', import.meta.url);

/** Pending entries that are let go in one call, and pages of a settled bitmap that are removed. */
const ENTRIES_A_CALL = 1_000;
const PAGES_A_CALL = 500;
/** Pages of a partition with a million million messages: a higher number comes from a damaged count. */
const MOST_PAGES = 2 ** 24;
/** Stands for the topic itself where a group is named. */
const TOPIC = '';

/** `look` marks nothing; `idle` marks as removed when no member may live; `force` marks in any case. */
export type RemovalMode = 'look' | 'idle' | 'force';

/** The target of a removal: a group of a topic or, without a group, the topic. */
export interface RemovalTarget {
  readonly topic: string;
  readonly group?: string;
}

export interface Removal {
  /** Number of the removal in force; null when there is none. */
  readonly number: string | null;
  /** Members that may live. */
  readonly members: readonly string[];
}

/** A topic by its name, and how many partitions it has in Redis. */
export interface StoredTopic {
  readonly name: string;
  readonly partitions: number;
}

/**
 * The marks of removed groups and topics. The mark in the first partition is written first and decides: a process that finds it
 * finishes the removal in all partitions before it declares the name anew.
 */
export class Tombstones {
  readonly #redis: Topology;
  readonly #prefix: string;

  constructor(redis: Topology, prefix: string) {
    this.#redis = redis;
    this.#prefix = prefix;
  }

  /** The number of the removal in force; null when there is none. */
  async inForce(topic: string, group = TOPIC): Promise<string | null> {
    const { removed } = partitionKeys(this.#prefix, topic, 0);
    const number = await this.#redis.controlFor(removed).call('HGET', removed, group);
    return Number(number ?? 0) > 0 ? String(number) : null;
  }

  /** @param gone members that are known to be gone */
  async begin({ topic, group = TOPIC }: RemovalTarget, mode: RemovalMode, gone: readonly string[] = []): Promise<Removal> {
    const { removed, log } = partitionKeys(this.#prefix, topic, 0);
    const reply = await this.#redis.controlFor(log).run(beginRemoval, [removed, log], [group, mode, ...gone]);
    const [number, ...members] = reply as string[];
    return { number: number === '0' ? null : number!, members };
  }

  /** Removes all remaining keys of the group. */
  async finishGroup({ name, partitions }: StoredTopic, group: string, number: string): Promise<void> {
    for (let partition = 0; partition < partitions; partition += 1) {
      await this.#removeGroup({ topic: name, partition, group }, number);
    }
    const rate = rateKey(this.#prefix, name, group);
    await this.#redis.controlFor(rate).call('UNLINK', rate);
  }

  /**
   * Removes all remaining keys of the topic and its groups. The first step refuses messages and new groups; the last one removes
   * the number of partitions, so that the topic may be declared with another.
   */
  async finishTopic(topic: StoredTopic, number: string): Promise<void> {
    const places = Array.from({ length: topic.partitions }, (_, partition) => partitionKeys(this.#prefix, topic.name, partition));
    const groups = new Set<string>();
    for (const keys of places) {
      for (const group of await this.#groupsOf(keys)) groups.add(group);
      if (!(await this.#removeKeys(keys, number, contentsOf(keys)))) return;
    }
    for (const group of groups) await this.finishGroup(topic, group, number);
    for (const keys of places) await this.#removeKeys(keys, number, [keys.meta, keys.groups]);
    const topics = topicsKey(this.#prefix);
    if ((await this.inForce(topic.name)) !== number) return;
    const index = halfIndexKey(this.#prefix, topic.name);
    await this.#redis.controlFor(index).call('UNLINK', index);
    await this.#redis.controlFor(topics).call('HDEL', topics, topic.name);
  }

  /** Known groups, and groups that exist without being known. */
  async #groupsOf({ groups, log }: PartitionKeys): Promise<string[]> {
    const redis = this.#redis.controlFor(log);
    const known = (await redis.call('HKEYS', groups)) as string[];
    if ((await redis.call('EXISTS', log)) === 0) return known;
    const infos = (await redis.call('XINFO', 'GROUPS', log)) as [string, string][];
    return [...known, ...infos.map(([, name]) => name)].filter(isName);
  }

  /** @returns false when the topic was declared anew meanwhile: nothing was done */
  async #removeKeys({ removed, log, groups }: PartitionKeys, number: string, keys: readonly string[]): Promise<boolean> {
    const reply = await this.#redis.controlFor(log).run(remove, [removed, log, groups, ...keys], [TOPIC, number, ENTRIES_A_CALL]);
    return reply !== 'PAST';
  }

  async #removeGroup(place: GroupPlace, number: string): Promise<void> {
    const { removed, log, groups, meta } = partitionKeys(this.#prefix, place.topic, place.partition);
    const own = namesIn(groupKeys(this.#prefix, place, place.group));
    const redis = this.#redis.controlFor(log);
    const next = Number((await redis.call('HGET', meta, 'next')) ?? 0);
    const end = Math.min(MOST_PAGES, Math.floor(next / SETTLED_PAGE_OFFSETS));
    // Without the partition's next offset the pages end at the first call that finds none.
    for (let [page, left] = [0, true]; left || page <= end; ) {
      const keys = [removed, log, groups, ...own, ...this.#pagesFrom(place, page)];
      const reply = await redis.run(remove, keys, [place.group, number, ENTRIES_A_CALL]);
      if (reply === 'PAST') return;
      const [count, isPending] = reply as [number, number];
      left = count > 0 || isPending === 1;
      if (isPending === 0) page += PAGES_A_CALL;
    }
  }

  #pagesFrom(place: GroupPlace, first: number): string[] {
    const pages = Array.from({ length: PAGES_A_CALL }, (_, index) => first + index);
    return pages.map((page) => settledKey(this.#prefix, place, page * SETTLED_PAGE_OFFSETS));
  }
}

/** How many partitions of a topic may have keys, by the index of topics; null when it has no number, or a damaged one. */
export function storedPartitions(text: unknown): number | null {
  const stored = storedCount(text);
  return stored && (stored.target ?? stored.count);
}

interface GroupPlace {
  readonly topic: string;
  readonly partition: number;
  readonly group: string;
}

/** All keys but those with the next offset and the groups of the partition: these go last. */
function contentsOf({ removed: _, meta: __, groups: ___, ring: ____, ...contents }: PartitionKeys): string[] {
  return namesIn(contents);
}

function namesIn(keys: object): string[] {
  return Object.values<string | readonly string[]>(keys as Record<string, string>).flat();
}
