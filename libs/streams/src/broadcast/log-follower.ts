import { BROADCAST_GROUP, emit, type TopicDefinition } from '@millrace/core';
import { BLOCK_MS, type RedisConnection, type Topology } from '@millrace/redis';
import { type PartitionKeys, partitionKeys } from '../keys.js';
import { type Entry, entryOf } from '../log/entry.js';
import { locate } from '../log/locate.js';
import { pagesOf } from '../log/pages.js';
import { partitionsOf } from '../log/topic-log.js';
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

/** Reads logs of a topic from their present end on, without a group: it leaves nothing behind in Redis. */
export class LogFollower {
  readonly #reader: RedisConnection;
  readonly #control: RedisConnection;
  readonly #logs: Logs;
  #cursors: readonly Cursor[] = [];
  /** The epoch of the connection at the last read. */
  #readOn: number;

  private constructor(reader: RedisConnection, control: RedisConnection, logs: Logs) {
    this.#reader = reader;
    this.#control = control;
    this.#logs = logs;
    this.#readOn = reader.connectionEpoch;
  }

  /**
   * One follower for all partitions that one command can read, from the partition `first` on. Each has a connection of its own:
   * close it.
   */
  static ofTopic({ redis, prefix }: { redis: Topology; prefix: string }, topic: TopicDefinition, first = 0): LogFollower[] {
    const keysOf = (partition: number): PartitionKeys => partitionKeys(prefix, topic.name, partition);
    const followed = partitionsOf(topic).slice(first);
    const pages = pagesOf(followed, topic.partitions, (partition) => redis.controlFor(keysOf(partition).log));
    return pages.map(({ redis: control, partitions }) => {
      const reader = redis.blockingFor(keysOf(partitions[0]!).log, `follow:${topic.name}`);
      return new LogFollower(reader, control, { topic: topic.name, partitions, keysOf });
    });
  }

  /** Begins with the first messages, in partitions that are newer than the broadcast. */
  async startAtBeginning(): Promise<void> {
    const cursors = await Promise.all(this.#logs.partitions.map((partition) => this.#cursorOf(partition)));
    this.#cursors = cursors.map((cursor) => ({ ...cursor, after: '0-0', next: 0, history: new ReadHistory() }));
  }

  /** Finds the present ends. */
  async start(): Promise<void> {
    this.#cursors = await Promise.all(this.#logs.partitions.map((partition) => this.#cursorOf(partition)));
  }

  whenReady(timeoutMs: number, signal: AbortSignal): Promise<boolean> {
    return this.#reader.whenReady(timeoutMs, signal);
  }

  close(): void {
    this.#reader.close();
  }

  /** Waits for new entries, up to `count` a partition; there may be none. After a failed read, call it again. */
  async read(count: number): Promise<FollowedEntry[]> {
    const { connectionEpoch } = this.#reader;
    if (connectionEpoch !== this.#readOn) await this.#lookForNewLogs();
    this.#readOn = connectionEpoch;
    const batches = await this.#readNew(count);
    const isAsExpected = batches.length > 0 && batches.every((batch) => goesOn(...batch));
    if (!isAsExpected) await this.#lookForNewLogs();
    // The entries may be of another log: they are read again from the position that was found in it.
    const taken = isAsExpected || batches.length === 0 ? batches : await this.#readNew(count);
    return taken.flatMap((batch) => this.#take(...batch));
  }

  async #cursorOf(partition: number): Promise<Cursor> {
    const keys = this.#logs.keysOf(partition);
    const { after, offset } = await locate(this.#control, keys, 'latest');
    const generation = await generationOf(this.#control, keys.meta);
    const history = new ReadHistory();
    for (const row of await backwards(this.#control, keys.log, { from: after, count: 1 })) history.add(...row);
    return { partition, log: keys.log, meta: keys.meta, generation, after, next: offset, history, previous: null };
  }

  async #readNew(count: number): Promise<[Cursor, Row[]][]> {
    const ids = this.#cursors.map(({ after }) => after);
    const keys = this.#cursors.map(({ log }) => log);
    const reply = (await this.#reader.call('XREAD', 'COUNT', count, 'BLOCK', BLOCK_MS, 'STREAMS', ...keys, ...ids)) as Reply;
    return (reply ?? []).map(([key, rows]) => [this.#cursors.find(({ log }) => log === key)!, rows]);
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
   */
  async #lookForNewLogs(): Promise<void> {
    await Promise.all(this.#cursors.map((cursor) => this.#lookForNewLog(cursor)));
  }

  async #lookForNewLog(cursor: Cursor): Promise<void> {
    const generation = await generationOf(this.#reader, cursor.meta);
    if (generation === null) return;
    if (generation === cursor.generation) return this.#findResumePoint(cursor);
    Object.assign(cursor, { generation, after: '0-0', next: null, previous: cursor.history, history: new ReadHistory() });
  }

  /** Goes back to the last entry that was read and still exists: usually the last one of all. */
  async #findResumePoint(cursor: Cursor): Promise<void> {
    let from = cursor.after;
    for (let count = 1; ; count = PAGE) {
      const rows = await backwards(this.#reader, cursor.log, { from, count });
      const resumePoint = rows.find(([id, fields]) => cursor.history.covers(id, fields));
      // Without one, the entries that were read are trimmed, or were never in this log.
      if (resumePoint || rows.length < count) return void (cursor.after = resumePoint?.[0] ?? '0-0');
      from = `(${rows.at(-1)![0]}`;
    }
  }
}

/** Whether the first offset is the next one. Offset 0 may be that of a new log, also when it is the next one. */
function goesOn({ next }: Cursor, rows: readonly Row[]): boolean {
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
