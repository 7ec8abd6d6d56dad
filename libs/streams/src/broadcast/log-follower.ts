import { BROADCAST_GROUP, emit, type TopicDefinition } from '@millrace/core';
import { BLOCK_MS, type RedisConnection } from '@millrace/redis';
import { partitionKeys } from '../keys.js';
import { type Entry, entryOf } from '../log/entry.js';
import { locate } from '../log/locate.js';
import { partitionsOf } from '../log/topic-log.js';

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
}

type Reply = [string, [string, string[]][]][] | null;

/** Reads the logs of a topic from their present end on, without a group: it leaves nothing behind in Redis. */
export class LogFollower {
  readonly #reader: RedisConnection;
  readonly #topic: string;
  readonly #cursors: readonly Cursor[];

  private constructor(reader: RedisConnection, topic: string, cursors: readonly Cursor[]) {
    this.#reader = reader;
    this.#topic = topic;
    this.#cursors = cursors;
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
      return { partition, log: keys.log, meta: keys.meta, generation, after, next: offset };
    });
    return new LogFollower(connections.reader, topic.name, await Promise.all(cursors));
  }

  /** Waits for what is new, up to `count` entries a partition; nothing new gives nothing. A read that failed is done again. */
  async read(count: number): Promise<FollowedEntry[]> {
    const ids = this.#cursors.map(({ after }) => after);
    const keys = this.#cursors.map(({ log }) => log);
    const reply = (await this.#reader.call('XREAD', 'COUNT', count, 'BLOCK', BLOCK_MS, 'STREAMS', ...keys, ...ids)) as Reply;
    if (!reply) await this.#lookForNewLogs();
    return (reply ?? []).flatMap(([key, entries]) => this.#take(this.#cursors.find(({ log }) => log === key)!, entries));
  }

  #take(cursor: Cursor, entries: readonly [string, string[]][]): FollowedEntry[] {
    return entries.flatMap(([id, fields]) => {
      cursor.after = id;
      const entry = entryOf(fields);
      if (!entry) return [];
      this.#tellOfGap(cursor, entry);
      cursor.next = entry.base + entry.envelopes.length;
      return [{ ...entry, partition: cursor.partition }];
    });
  }

  #tellOfGap({ partition, next }: Cursor, { base }: Entry): void {
    if (next === null || base <= next) return;
    const why = 'removed from the log before this process read them';
    emit('lost', { topic: this.#topic, partition, group: BROADCAST_GROUP, count: base - next, why });
  }

  /** A log that was lost and made again is read from its beginning: its ids may be lower than those that were read. */
  async #lookForNewLogs(): Promise<void> {
    await Promise.all(this.#cursors.map((cursor) => this.#lookForNewLog(cursor)));
  }

  async #lookForNewLog(cursor: Cursor): Promise<void> {
    const generation = await generationOf(this.#reader, cursor.meta);
    if (generation === null || generation === cursor.generation) return;
    Object.assign(cursor, { generation, after: '0-0', next: null });
  }
}

async function generationOf(redis: RedisConnection, meta: string): Promise<string | null> {
  return (await redis.call('HGET', meta, 'generation')) as string | null;
}
