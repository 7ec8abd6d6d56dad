import { emit, MillraceError } from '@millrace/core';
import { loadScript, type RedisConnection, type Topology } from '@millrace/redis';
import { groupKeys, partitionKeys, SETTLED_PAGE_OFFSETS, settledKey } from '../keys.js';
import { silenceOf } from '../log/group-silence.js';
import type { RetainedTopic } from './retained-topic.js';

const trim = loadScript('../scripts/trim.lua', import.meta.url);

/** How many times a group may join, or the page change, between the look and the trim. */
const MAX_LOOKS = 10;
/**
 * How old a message is at least, in milliseconds, that goes because every group is done with it: a broadcast, which holds none,
 * reads it a moment after they do.
 */
const SETTLED_AFTER_MS = 1_000;

export interface TrimRequest {
  readonly partition: number;
  /** Messages that there must be room for. */
  readonly wanted: number;
  /** No trim when the last one, by any process, was less than so many milliseconds ago. */
  readonly everyMs: number;
}

export interface Capacity {
  /** Messages that may be stored. */
  readonly messages: number;
  /** The group that keeps the oldest message from being removed; null when none does. */
  readonly blockingGroup: string | null;
}

/** A log after a trim. */
export interface Trimmed extends Capacity {
  /** Whether messages are left that are to be removed soon: they are too young now. */
  readonly isUnfinished: boolean;
  /** Messages that it removed: those that others trim at the same time are theirs. */
  readonly removed: number;
}

/** A group that keeps a log full. */
export interface BlockingGroup {
  readonly group: string;
  /** How long no member of it has been seen, in milliseconds by Redis's clock; null when none ever was. */
  readonly silentMs: number | null;
}

type Reply = 'AGAIN' | 'UNDECLARED' | 'RECENT' | [room: number, more: '0' | '1' | 'later', blockingGroup: string, removed: number, ...dropped: (string | number)[]];

/** The groups of a partition, and the page of their bitmaps in which its first offset lies. */
interface Look {
  readonly names: readonly string[];
  readonly page: number;
}

/** A topic whose messages go. */
export interface TrimmedTopic extends Pick<RetainedTopic, 'name' | 'retention'> {
  /** Why groups lose messages, for the event. Default: its retention is full. */
  readonly dropReason?: string;
}

/** Removes the entries that a topic's retention no longer keeps from the logs of its partitions. */
export class LogTrim {
  readonly #redis: Topology;
  readonly #prefix: string;
  readonly #topic: TrimmedTopic;
  /** By partition, the look of its last trim: the script refuses one that does not hold any more. */
  readonly #looks = new Map<number, Look>();

  constructor(redis: Topology, prefix: string, topic: TrimmedTopic) {
    this.#redis = redis;
    this.#prefix = prefix;
    this.#topic = topic;
  }

  /** @returns `'RECENT'` or `'UNDECLARED'` when nothing was done, as the last trim is recent or the partition is not there */
  async trim(request: TrimRequest): Promise<Trimmed | 'RECENT' | 'UNDECLARED'> {
    let [everyMs, removed] = [request.everyMs, 0];
    for (let looks = 0; looks < MAX_LOOKS; looks += 1) {
      const reply = await this.#trimOnce({ ...request, everyMs });
      if (reply === 'UNDECLARED' || reply === 'RECENT') return reply;
      if (reply === 'AGAIN') {
        this.#looks.delete(request.partition);
        continue;
      }
      const [messages, more, blockingGroup, count, ...dropped] = reply;
      removed += count;
      this.#reportDropped(request.partition, dropped);
      if (more !== '1' || (request.wanted > 0 && messages >= request.wanted)) {
        return { messages, blockingGroup: blockingGroup === '' ? null : blockingGroup, isUnfinished: more === 'later', removed };
      }
      [looks, everyMs] = [0, 0];
    }
    throw new MillraceError('REDIS_FAILED', `The groups of topic '${this.#topic.name}' change too fast to trim it.`, { retryable: true });
  }

  /** Details of the group that keeps a partition full, for the error of a refusal. */
  async blockingGroup(partition: number, group: string): Promise<BlockingGroup> {
    const { stats } = groupKeys(this.#prefix, { topic: this.#topic.name, partition }, group);
    return { group, silentMs: await silenceOf(this.#redis.controlFor(stats), stats) };
  }

  async #trimOnce({ partition, wanted, everyMs }: TrimRequest): Promise<Reply> {
    const { log, meta, groups } = partitionKeys(this.#prefix, this.#topic.name, partition);
    const { names, page } = this.#looks.get(partition) ?? (await this.#look(partition));
    const keys = names.flatMap((group) => this.#keysOf({ topic: this.#topic.name, partition, group }, page));
    const { maxAgeMs, maxMessages, maxBytes, overflow, dropGroupAfterMs, settled } = this.#topic.retention;
    const limits = [maxAgeMs ?? 0, maxMessages ?? 0, maxBytes ?? 0, overflow, dropGroupAfterMs, settled ? SETTLED_AFTER_MS : -1];
    const args = [SETTLED_PAGE_OFFSETS, page, everyMs, wanted, ...limits, ...names];
    return (await this.#redis.controlFor(log).run(trim, [log, meta, groups, ...keys], args)) as Reply;
  }

  async #look(partition: number): Promise<Look> {
    const { log, meta, groups } = partitionKeys(this.#prefix, this.#topic.name, partition);
    const redis = this.#redis.controlFor(log);
    const [first, names] = await Promise.all([redis.call('HGET', meta, 'first'), groupNames(redis, log, groups)]);
    const look = { names, page: Math.floor(Number(first ?? 0) / SETTLED_PAGE_OFFSETS) };
    this.#looks.set(partition, look);
    return look;
  }

  #keysOf(place: { topic: string; partition: number; group: string }, page: number): string[] {
    const pages = [page, page + 1].map((number) => settledKey(this.#prefix, place, number * SETTLED_PAGE_OFFSETS));
    const { stats, open, body } = groupKeys(this.#prefix, place, place.group);
    return [stats, ...pages, open, body];
  }

  #reportDropped(partition: number, dropped: readonly (string | number)[]): void {
    const why = this.#topic.dropReason ?? `its retention is full (overflow: '${this.#topic.retention.overflow}')`;
    for (let i = 0; i < dropped.length; i += 2) {
      const [group, count] = [String(dropped[i]), Number(dropped[i + 1])];
      emit('lost', { topic: this.#topic.name, partition, group, count, why });
    }
  }
}

/** Groups that exist and groups that are known: a lost group comes back. */
async function groupNames(redis: RedisConnection, log: string, groups: string): Promise<string[]> {
  const known = (await redis.call('HKEYS', groups)) as string[];
  // XINFO fails where there is no log.
  if ((await redis.call('EXISTS', log)) === 0) return known;
  const infos = (await redis.call('XINFO', 'GROUPS', log)) as [string, string][];
  return [...new Set([...known, ...infos.map(([, name]) => name)])];
}
