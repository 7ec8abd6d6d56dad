import { type ErrorCode, isMillraceError, type Message, type Position, type TopicDefinition, type TopicRef, topicOfRef } from '@millrace/core';
import type { Topology } from '@millrace/redis';
import { partitionKeys } from '../keys.js';
import { entryOf } from '../log/entry.js';
import { spanOfId } from '../log/entry-id.js';
import { decodeEnvelope } from '../log/envelope.js';
import { assertPartition } from '../log/known-partition.js';
import { locate } from '../log/locate.js';
import type { PartitionCounts } from '../log/partition-counts.js';
import { readEntries } from '../log/read-entries.js';
import { fieldsShown } from '../redeliver/stored-dead-letter.js';

/** One partition of a topic. */
export interface StreamPlace {
  readonly topic: TopicRef;
  readonly partition: number;
}

/** The log of a partition. */
export interface PartitionFacts {
  readonly partition: number;
  /** Tells the log from one that had its name before; null when the partition is not there. */
  readonly generation: string | null;
  readonly entries: number;
  /** Messages that it holds; of an entry that Millrace did not write, none. */
  readonly messages: number;
  /** Offset of the first message that it holds, or of the next one when it holds none. */
  readonly firstOffset: number;
  /** Offset of the next message. */
  readonly nextOffset: number;
  /** Null when it is empty. */
  readonly firstId: string | null;
  readonly lastId: string | null;
  /** When they were stored, by Redis's clock. */
  readonly firstAt: Date | null;
  readonly lastAt: Date | null;
  /** Messages that are not due yet. */
  readonly delayed: number;
}

/** Messages of a partition that are not due yet. */
export interface DelayedFacts {
  readonly partition: number;
  readonly delayed: number;
  /** When the first and the last of them are due, by Redis's clock. */
  readonly nextAt: Date;
  readonly lastAt: Date;
}

/** Entries of a log, by their ids. */
export interface LogRange {
  /** Behind this entry id. `'0-0'` for the beginning. */
  readonly after: string;
  /** Not behind this moment, by Redis's clock; null: to the end. */
  readonly until: Date | null;
  /** The most entries, at least 1; fewer come where they are large. */
  readonly most: number;
}

/** Entries of a log from an end on, the newest first. */
export interface LogRangeBack {
  /** From this entry id on: `'+'` for the end, `'(<id>'` for behind an entry, `'<ms>'` for the last one of a millisecond. */
  readonly from: string;
  /** Not before, nor with, this entry id. `'0-0'` for the beginning. */
  readonly after: string;
  readonly most: number;
}

/** A message in a log, or an entry that is none. */
export interface LogItem {
  readonly partition: number;
  readonly entry: string;
  /** Null for an entry that Millrace did not write. */
  readonly offset: number | null;
  /** By Redis's clock. */
  readonly storedAt: Date;
  /** The message as it is stored, which {@link readStored} reads; empty for an entry that Millrace did not write. */
  readonly envelope: string;
  /** Only of such an entry: names and values of its fields, 20 at the most, each cut off after 2,000 characters. */
  readonly fields?: readonly (readonly [name: string, value: string])[];
}

export interface LogPage {
  readonly items: readonly LogItem[];
  /** How many entries were read. */
  readonly entries: number;
  /** The id of the last entry that was read; the `after` of the range when there was none. */
  readonly last: string;
  /** Whether there are no more in the range. */
  readonly isEnd: boolean;
}

/** The largest `Date`, in milliseconds: other programs may use any id. */
const LAST_DATE_MS = 8.64e15;

/** Reads the messages of topics, whether their groups have handled them or not; changes nothing. */
export class LogReader {
  readonly #redis: Topology;
  readonly #prefix: string;
  readonly #counts: PartitionCounts;

  constructor(redis: Topology, prefix: string, counts: PartitionCounts) {
    this.#redis = redis;
    this.#prefix = prefix;
    this.#counts = counts;
  }

  /** @throws MillraceError NOT_A_TOPIC, INVALID_OPTIONS when the topic has no such partition */
  async facts(place: StreamPlace): Promise<PartitionFacts> {
    const { name, partition } = this.#known(place);
    const { log, meta, delayed } = partitionKeys(this.#prefix, name, partition);
    const redis = this.#redis.controlFor(log);
    const [state, entries, first, last, due] = await Promise.all([
      redis.call('HMGET', meta, 'generation', 'next') as Promise<(string | null)[]>,
      redis.call('XLEN', log),
      redis.call('XRANGE', log, '-', '+', 'COUNT', 1) as Promise<[string, string[]][]>,
      redis.call('XREVRANGE', log, '+', '-', 'COUNT', 1) as Promise<[string, string[]][]>,
      redis.call('ZCARD', delayed),
    ]);
    const nextOffset = Number(state[1] ?? 0);
    const [firstId, lastId] = [first[0]?.[0] ?? null, last[0]?.[0] ?? null];
    const firstOffset = Math.min(nextOffset, (firstId === null ? null : spanOfId(firstId)?.base) ?? nextOffset);
    const known = { partition, generation: state[0] ?? null, entries: Number(entries), delayed: Number(due) };
    const [firstAt, lastAt] = [firstId, lastId].map((id) => (id === null ? null : storedAt(id)));
    const ends = { firstId, lastId, firstAt: firstAt ?? null, lastAt: lastAt ?? null };
    return { ...known, ...ends, messages: nextOffset - firstOffset, firstOffset, nextOffset };
  }

  /**
   * Null when it has none.
   *
   * @throws MillraceError NOT_A_TOPIC, INVALID_OPTIONS when the topic has no such partition
   */
  async delayed(place: StreamPlace): Promise<DelayedFacts | null> {
    const { name, partition } = this.#known(place);
    const { delayed } = partitionKeys(this.#prefix, name, partition);
    const redis = this.#redis.controlFor(delayed);
    const [count, first, last] = await Promise.all([
      redis.call('ZCARD', delayed),
      redis.call('ZRANGE', delayed, 0, 0, 'WITHSCORES') as Promise<string[]>,
      redis.call('ZRANGE', delayed, -1, -1, 'WITHSCORES') as Promise<string[]>,
    ]);
    const [nextMs, lastMs] = [first[1], last[1]];
    if (nextMs === undefined || lastMs === undefined) return null;
    return { partition, delayed: Number(count), nextAt: dateOf(Number(nextMs)), lastAt: dateOf(Number(lastMs)) };
  }

  /**
   * The messages behind an entry, the oldest first, as many as one call may read.
   *
   * @throws MillraceError NOT_A_TOPIC, INVALID_OPTIONS when the topic has no such partition
   */
  async read(place: StreamPlace, { after, until, most }: LogRange): Promise<LogPage> {
    const { name, partition } = this.#known(place);
    const { log } = partitionKeys(this.#prefix, name, partition);
    const to = until === null ? '+' : `${until.getTime()}`;
    const { entries, isEnd } = await readEntries(this.#redis.controlFor(log), log, { from: `(${after}`, to, most });
    const items = entries.flatMap(([id, fields]) => itemsOf(partition, id, fields));
    return { items, entries: entries.length, last: entries.at(-1)?.[0] ?? after, isEnd };
  }

  /**
   * The messages from an end on, the newest first, as many as one call may read.
   *
   * @throws MillraceError NOT_A_TOPIC, INVALID_OPTIONS when the topic has no such partition
   */
  async readBack(place: StreamPlace, { from, after, most }: LogRangeBack): Promise<LogPage> {
    const { name, partition } = this.#known(place);
    const { log } = partitionKeys(this.#prefix, name, partition);
    const { entries, isEnd } = await readEntries(this.#redis.controlFor(log), log, { from, to: `(${after}`, most, isBack: true });
    const items = entries.flatMap(([id, fields]) => itemsOf(partition, id, fields).reverse());
    return { items, entries: entries.length, last: entries.at(-1)?.[0] ?? after, isEnd };
  }

  /**
   * The entry id behind which the position begins, and the offset of its first message.
   *
   * @throws MillraceError NOT_A_TOPIC, STATE_LOST; INVALID_OPTIONS when the topic has no such partition
   */
  async locate(place: StreamPlace, position: Position): Promise<{ after: string; offset: number }> {
    const { name, partition } = this.#known(place);
    const keys = partitionKeys(this.#prefix, name, partition);
    return locate(this.#redis.controlFor(keys.log), keys, position);
  }

  #known({ topic, partition }: StreamPlace): { readonly name: string; readonly partition: number } {
    const definition: TopicDefinition = this.#counts.topicOf(topicOfRef(topic));
    assertPartition(definition, partition, 'partition');
    return { name: definition.name, partition };
  }
}

function itemsOf(partition: number, id: string, fields: readonly string[]): LogItem[] {
  const entry = entryOf(id, fields);
  const place = { partition, entry: id, storedAt: storedAt(id) };
  if (entry === null) return [{ ...place, offset: null, envelope: '', fields: fieldsShown(fields) }];
  return entry.envelopes.map((envelope, index) => ({ ...place, offset: entry.base + index, envelope }));
}

/** A message as it is stored, and why it cannot be read: one of the two is null. */
export type StoredMessage =
  | { readonly message: Message; readonly problem: null }
  | { readonly message: null; readonly problem: ErrorCode };

/** Reads a message as it is stored. A search reads few of those that it looks at. */
export function readStored(envelope: string): StoredMessage {
  try {
    return { message: decodeEnvelope(envelope), problem: null };
  } catch (error) {
    if (isMillraceError(error)) return { message: null, problem: error.code };
    throw error;
  }
}

function storedAt(id: string): Date {
  return dateOf(Number(id.split('-')[0]));
}

function dateOf(ms: number): Date {
  return new Date(Math.min(ms, LAST_DATE_MS));
}
