import { BROADCAST_GROUP, emit, type TopicDefinition } from '@millrace/core';
import type { RedisConnection, Topology } from '@millrace/redis';
import { type PartitionKeys, partitionKeys } from '../keys.js';
import { type Entry, entryOf } from '../log/entry.js';
import { locate } from '../log/locate.js';
import { pagesOf } from '../log/pages.js';
import { partitionsOf } from '../log/topic-log.js';
import type { Rings } from '../ring/rings.js';
import { LogRings } from './log-rings.js';
import { baseOf, ReadHistory } from './read-history.js';

/** Entries in one call that looks for the resume point in another log. */
const PAGE = 50;

export interface FollowedEntry extends Entry {
  readonly partition: number;
}

/** The position of this process in one partition. */
interface Cursor {
  readonly partition: number;
  readonly log: string;
  readonly meta: string;
  /** The channel in which somebody rings when the log has new messages. */
  readonly channel: string;
  generation: string | null;
  after: string;
  /** The offset that comes next; null before the first message. */
  next: number | null;
  /** Entries of this log that were read last. */
  history: ReadHistory;
  /** Entries of the log before, when entries of this log may have been read as a continuation of it. */
  previous: ReadHistory | null;
}

type Row = [id: string, fields: string[]];
type Reply = [string, Row[]][] | null;

/** The logs that one connection leads to. */
interface Logs {
  readonly topic: string;
  readonly partitions: readonly number[];
  readonly keysOf: (partition: number) => PartitionKeys;
}

export interface FollowerParts {
  readonly redis: Topology;
  readonly prefix: string;
  readonly rings: Rings;
}

/** Reads logs of a topic from their present end on, without a group, when somebody rings: it leaves nothing behind in Redis. */
export class LogFollower {
  readonly #redis: RedisConnection;
  readonly #logs: Logs;
  readonly #rings: LogRings;
  #cursors: readonly Cursor[] = [];
  /** The epoch of the connection at the last read. */
  #readOn: number;

  private constructor(redis: RedisConnection, rings: Rings, logs: Logs) {
    this.#redis = redis;
    this.#logs = logs;
    const channels = logs.partitions.map((partition) => logs.keysOf(partition).ring);
    this.#rings = new LogRings({ rings, channels, isRead: (channel, ring) => this.#isRead(channel, ring) });
    this.#readOn = redis.connectionEpoch;
  }

  /** One follower for all partitions that one command can read, from the partition `first` on. Close them. */
  static ofTopic({ redis, prefix, rings }: FollowerParts, topic: TopicDefinition, first = 0): LogFollower[] {
    const keysOf = (partition: number): PartitionKeys => partitionKeys(prefix, topic.name, partition);
    const followed = partitionsOf(topic).slice(first);
    const pages = pagesOf(followed, topic.partitions, (partition) => redis.publishFor(keysOf(partition).log));
    return pages.map((page) => new LogFollower(page.redis, rings, { topic: topic.name, partitions: page.partitions, keysOf }));
  }

  /** Begins with the first messages, in partitions that are newer than the broadcast. */
  async startAtBeginning(): Promise<void> {
    const cursors = await Promise.all(this.#logs.partitions.map((partition) => this.#cursorOf(partition)));
    this.#cursors = cursors.map((cursor) => ({ ...cursor, after: '0-0', next: 0, history: new ReadHistory() }));
    this.#rings.listen();
  }

  /** Finds the present ends. */
  async start(): Promise<void> {
    this.#cursors = await Promise.all(this.#logs.partitions.map((partition) => this.#cursorOf(partition)));
    this.#rings.listen();
  }

  /** Resolves when a read pays, or when the signal aborts. */
  whenDue(signal: AbortSignal): Promise<void> {
    return this.#rings.whenDue(signal);
  }

  whenReady(timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    return this.#redis.whenReady(timeoutMs, signal);
  }

  close(): void {
    this.#rings.close();
  }

  /** Reads new entries, up to `count` a partition; there may be none. After a failed read, call it again. */
  async read(count: number): Promise<FollowedEntry[]> {
    try {
      return await this.#read(count);
    } catch (error) {
      this.#rings.lookAtAll();
      throw error;
    }
  }

  async #read(count: number): Promise<FollowedEntry[]> {
    const { connectionEpoch } = this.#redis;
    if (connectionEpoch !== this.#readOn) {
      await this.#lookForNewLogs(this.#cursors);
      this.#rings.lookAtAll();
    }
    this.#readOn = connectionEpoch;
    const channels = this.#rings.due();
    const due = this.#cursors.filter(({ channel }) => channels.has(channel));
    const rung = new Map(due.map(({ channel }) => [channel, this.#rings.lastFor(channel)]));
    const batches = await this.#readExpected(due, count);
    return due.flatMap((cursor) => {
      const rows = batches.get(cursor) ?? [];
      const entries = this.#take(cursor, rows);
      const ring = rung.get(cursor.channel)!;
      if (rows.length < count || this.#isRead(cursor.channel, ring)) this.#rings.emptied(cursor.channel, ring);
      else this.#rings.left(cursor.channel);
      return entries;
    });
  }

  /** Where a log brings nothing, or something else than what comes next, it may be another log. */
  async #readExpected(cursors: readonly Cursor[], count: number): Promise<Map<Cursor, Row[]>> {
    const batches = await this.#readNew(cursors, count);
    const odd = cursors.filter((cursor) => !goesOn(cursor, batches.get(cursor)));
    const moved = new Set(await this.#lookForNewLogs(odd));
    // The entries may be of another log: they are read again from the position that was found in it.
    const again = await this.#readNew(odd.filter((cursor) => moved.has(cursor) || batches.has(cursor)), count);
    for (const cursor of odd) batches.delete(cursor);
    return new Map([...batches, ...again]);
  }

  /** The id of a ring is that of the last entry, but with the offset that comes next. */
  #isRead(channel: string, ring: string): boolean {
    const cursor = this.#cursors.find((each) => each.channel === channel)!;
    return ring === `${cursor.after.split('-')[0]}-${cursor.next}`;
  }

  async #cursorOf(partition: number): Promise<Cursor> {
    const keys = this.#logs.keysOf(partition);
    const { after, offset } = await locate(this.#redis, keys, 'latest');
    const generation = await generationOf(this.#redis, keys.meta);
    const history = new ReadHistory();
    for (const row of await backwards(this.#redis, keys.log, { from: after, count: 1 })) history.add(...row);
    const { log, meta, ring: channel } = keys;
    return { partition, log, meta, channel, generation, after, next: offset, history, previous: null };
  }

  async #readNew(cursors: readonly Cursor[], count: number): Promise<Map<Cursor, Row[]>> {
    if (cursors.length === 0) return new Map();
    const ids = cursors.map(({ after }) => after);
    const keys = cursors.map(({ log }) => log);
    const reply = (await this.#redis.call('XREAD', 'COUNT', count, 'STREAMS', ...keys, ...ids)) as Reply;
    return new Map((reply ?? []).map(([key, rows]) => [cursors.find(({ log }) => log === key)!, rows]));
  }

  #take(cursor: Cursor, rows: readonly Row[]): FollowedEntry[] {
    return rows.flatMap(([id, fields]) => {
      cursor.after = id;
      cursor.history.add(id, fields);
      const entry = entryOf(id, fields);
      if (!entry) return [];
      this.#reportGap(cursor, entry);
      cursor.next = entry.base + entry.envelopes.length;
      if (cursor.previous?.has(id, fields)) return [];
      return [{ ...entry, partition: cursor.partition }];
    });
  }

  #reportGap({ partition, next }: Cursor, { base }: Entry): void {
    if (next === null || base <= next) return;
    const why = 'removed from the log before this process read them';
    emit('lost', { topic: this.#logs.topic, partition, group: BROADCAST_GROUP, count: base - next, why });
  }

  /**
   * Finds the place to go on reading: the beginning of a log that was lost and made again; in the shorter log of a promoted
   * replica, the entry at which it begins to differ. Ids in both may be lower than those that were read.
   *
   * @returns those that go on from another place
   */
  async #lookForNewLogs(cursors: readonly Cursor[]): Promise<Cursor[]> {
    const before = cursors.map(({ after, generation }) => `${after} ${generation}`);
    await Promise.all(cursors.map((cursor) => this.#lookForNewLog(cursor)));
    return cursors.filter(({ after, generation }, index) => before[index] !== `${after} ${generation}`);
  }

  async #lookForNewLog(cursor: Cursor): Promise<void> {
    const generation = await generationOf(this.#redis, cursor.meta);
    if (generation === null) return;
    if (generation === cursor.generation) return this.#findResumePoint(cursor);
    Object.assign(cursor, { generation, after: '0-0', next: null, previous: cursor.history, history: new ReadHistory() });
  }

  /** Goes back to the last entry that was read and still exists: usually the last one of all. */
  async #findResumePoint(cursor: Cursor): Promise<void> {
    let from = cursor.after;
    for (let count = 1; ; count = PAGE) {
      const rows = await backwards(this.#redis, cursor.log, { from, count });
      const resumePoint = rows.find(([id, fields]) => cursor.history.covers(id, fields));
      // Without one, the entries that were read are trimmed, or were never in this log.
      if (resumePoint || rows.length < count) return void (cursor.after = resumePoint?.[0] ?? '0-0');
      from = `(${rows.at(-1)![0]}`;
    }
  }
}

/** Whether the first offset is the next one. Offset 0 may be that of a new log, also when it is the next one. */
function goesOn({ next }: Cursor, rows: readonly Row[] | undefined): boolean {
  if (!rows) return false;
  const base = rows.map((row) => baseOf(...row)).find((offset) => offset >= 0);
  return base === undefined || next === null || (base === next && base > 0);
}

/** The entries up to and including `from`, the last one first. */
async function backwards(redis: RedisConnection, log: string, { from, count }: { from: string; count: number }): Promise<Row[]> {
  return (await redis.call('XREVRANGE', log, from, '-', 'COUNT', count)) as Row[];
}

async function generationOf(redis: RedisConnection, meta: string): Promise<string | null> {
  return (await redis.call('HGET', meta, 'generation')) as string | null;
}
