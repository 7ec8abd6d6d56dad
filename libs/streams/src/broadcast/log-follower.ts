import { BROADCAST_GROUP, emit, type TopicDefinition } from '@millrace/core';
import { BLOCK_MS, type RedisConnection } from '@millrace/redis';
import { partitionKeys } from '../keys.js';
import { type Entry, entryOf } from '../log/entry.js';
import { locate } from '../log/locate.js';
import { partitionsOf } from '../log/topic-log.js';
import { baseOf, Trail } from './trail.js';

/** Entries looked at in one call when the log is not the one that was read. */
const PAGE = 50;

export interface FollowedEntry extends Entry {
  readonly partition: number;
}

/** How far one partition was read. */
interface Cursor {
  readonly partition: number;
  readonly log: string;
  readonly meta: string;
  generation: string | null;
  after: string;
  /** The offset that comes next; null before the first message. */
  next: number | null;
  /** Entries that were read of this log last. */
  trail: Trail;
  /** Those of its predecessor, when this log may have been read as that one's continuation. */
  before: Trail | null;
}

type Row = [id: string, fields: string[]];
type Reply = [string, Row[]][] | null;

/** Reads the logs of a topic from their present end on, without a group: it leaves nothing behind in Redis. */
export class LogFollower {
  readonly #reader: RedisConnection;
  readonly #topic: string;
  readonly #cursors: readonly Cursor[];
  /** By its losses the connection on which was read last. */
  #readOn: number;

  private constructor(reader: RedisConnection, topic: string, cursors: readonly Cursor[]) {
    this.#reader = reader;
    this.#topic = topic;
    this.#cursors = cursors;
    this.#readOn = reader.losses;
  }

  static async start(
    connections: { readonly reader: RedisConnection; readonly control: RedisConnection },
    prefix: string,
    topic: TopicDefinition,
  ): Promise<LogFollower> {
    const cursors = partitionsOf(topic).map(async (partition) => {
      const keys = partitionKeys(prefix, topic.name, partition);
      const { after, offset } = await locate(connections.control, keys, 'latest');
      const generation = await generationOf(connections.control, keys.meta);
      const trail = new Trail();
      for (const row of await backwards(connections.control, keys.log, { from: after, count: 1 })) trail.add(...row);
      return { partition, log: keys.log, meta: keys.meta, generation, after, next: offset, trail, before: null };
    });
    return new LogFollower(connections.reader, topic.name, await Promise.all(cursors));
  }

  /** Waits for what is new, up to `count` entries a partition; nothing new gives nothing. A read that failed is done again. */
  async read(count: number): Promise<FollowedEntry[]> {
    const { losses } = this.#reader;
    if (losses !== this.#readOn) await this.#lookForNewLogs();
    this.#readOn = losses;
    const batches = await this.#readNew(count);
    const isAsExpected = batches.length > 0 && batches.every((batch) => goesOn(...batch));
    if (!isAsExpected) await this.#lookForNewLogs();
    // The entries may be of another log than the one that was read: from where that has to be read, they come again.
    const taken = isAsExpected || batches.length === 0 ? batches : await this.#readNew(count);
    return taken.flatMap((batch) => this.#take(...batch));
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
      cursor.trail.add(id, fields);
      const entry = entryOf(id, fields);
      if (!entry) return [];
      this.#tellOfGap(cursor, entry);
      cursor.next = entry.base + entry.envelopes.length;
      if (cursor.before?.has(id, fields)) return [];
      return [{ ...entry, partition: cursor.partition }];
    });
  }

  #tellOfGap({ partition, next }: Cursor, { base }: Entry): void {
    if (next === null || base <= next) return;
    const why = 'removed from the log before this process read them';
    emit('lost', { topic: this.#topic, partition, group: BROADCAST_GROUP, count: base - next, why });
  }

  /**
   * A log that was lost and made again is read from its beginning, and the shorter one of a replica that took over from where
   * it begins to differ: their ids may be lower than those that were read.
   */
  async #lookForNewLogs(): Promise<void> {
    await Promise.all(this.#cursors.map((cursor) => this.#lookForNewLog(cursor)));
  }

  async #lookForNewLog(cursor: Cursor): Promise<void> {
    const generation = await generationOf(this.#reader, cursor.meta);
    if (generation === null) return;
    if (generation === cursor.generation) return this.#findFooting(cursor);
    Object.assign(cursor, { generation, after: '0-0', next: null, before: cursor.trail, trail: new Trail() });
  }

  /** Goes back to the last entry that was read and is still there; mostly that is the one where we are. */
  async #findFooting(cursor: Cursor): Promise<void> {
    let from = cursor.after;
    for (let count = 1; ; count = PAGE) {
      const rows = await backwards(this.#reader, cursor.log, { from, count });
      const footing = rows.find(([id, fields]) => cursor.trail.covers(id, fields));
      // Without one, what was read is trimmed, or was never here.
      if (footing || rows.length < count) return void (cursor.after = footing?.[0] ?? '0-0');
      from = `(${rows.at(-1)![0]}`;
    }
  }
}

/** Whether the first offset is the one that had to come; the first of all may be that of a new log, also where it had to come. */
function goesOn({ next }: Cursor, rows: readonly Row[]): boolean {
  const base = rows.map((row) => baseOf(...row)).find((offset) => offset >= 0);
  return base === undefined || next === null || (base === next && base > 0);
}

/** The entries up to and with `from`, the last one first. */
async function backwards(redis: RedisConnection, log: string, { from, count }: { from: string; count: number }): Promise<Row[]> {
  return (await redis.call('XREVRANGE', log, from, '-', 'COUNT', count)) as Row[];
}

async function generationOf(redis: RedisConnection, meta: string): Promise<string | null> {
  return (await redis.call('HGET', meta, 'generation')) as string | null;
}
