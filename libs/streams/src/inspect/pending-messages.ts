import { loadScript, RedisFailure, type RedisConnection, type Topology } from '@millrace/redis';
import { groupKeys, partitionKeys, SETTLED_PAGE_OFFSETS, settledKey } from '../keys.js';
import { spanOfId } from '../log/entry-id.js';
import { OWNER } from '../own/owner-consumer.js';

const script = loadScript('../scripts/look-held.lua', import.meta.url);

/** Bytes of entries behind which one call reads no more. */
const MOST_BYTES = 131_072;

/** The streams of a group: the log has first attempts, `again` those after a failure or a process that vanished. */
export type PendingStream = 'log' | 'again';

/** A message that a member of a group holds. */
export interface PendingMessage {
  readonly partition: number;
  /** Null for an entry that Millrace did not write. */
  readonly offset: number | null;
  readonly stream: PendingStream;
  /** The id of the entry in that stream that the message is in. */
  readonly entry: string;
  /** Null where it cannot be told. */
  readonly messageId: string | null;
  /** Null for a message of an ordered group while nobody owns its partition. */
  readonly member: string | null;
  /** The number of the attempt that it is in, or waits for, from 1 on. */
  readonly attempt: number;
  /** How many processes have vanished with it. */
  readonly crashes: number;
  /** How long ago its member read it, in milliseconds by Redis's clock. It is for display: no message is taken over by it. */
  readonly heldMs: number;
  /** That moment. */
  readonly since: Date;
}

/** Entries that members hold, by their ids. */
export interface PendingRange {
  readonly partition: number;
  readonly stream: PendingStream;
  /** Behind this entry id. `'0-0'` for the beginning. */
  readonly after: string;
  /** The most entries, at least 1; fewer come where they are large. */
  readonly most: number;
}

export interface PendingPage {
  /** Those of an entry come together. */
  readonly items: readonly PendingMessage[];
  /** How many entries were looked at. */
  readonly entries: number;
  /** The id of the last of them; the `after` of the range when there was none. */
  readonly last: string;
  /** Whether there are no more in the range. */
  readonly isEnd: boolean;
}

interface GroupRange extends PendingRange {
  readonly topic: string;
  readonly group: string;
}

type Held = readonly [entry: string, consumer: string, heldMs: number, deliveries: number];

type Row = readonly [entry: string, offset: number, attempt: number, crashes: number, messageId: string];

/** Messages that members of a group hold in one stream of a partition, in the order of their entries. */
export async function pendingMessages(redis: Topology, prefix: string, range: GroupRange): Promise<PendingPage> {
  const { topic, partition, group, stream, after, most } = range;
  const { log } = partitionKeys(prefix, topic, partition);
  const { again, control } = groupKeys(prefix, { topic, partition }, group);
  const connection = redis.controlFor(log);
  const key = stream === 'log' ? log : again;
  const [held, now] = await Promise.all([heldIn(connection, key, range), connection.call('TIME') as Promise<[string, string]>]);
  if (held.length === 0) return { items: [], entries: 0, last: after, isEnd: true };
  const ids = held.map(([entry]) => entry);
  const pages = ids.map((id) => settledKey(prefix, { topic, partition, group }, spanOfId(id)?.base ?? 0));
  const reply = await connection.run(script, [key, control, ...pages], [stream, SETTLED_PAGE_OFFSETS, MOST_BYTES, ...ids]);
  const [entries, owner, ...rows] = reply as [number, string, ...Row[]];
  const holders = new Map(held.map((one) => [one[0], one]));
  const nowMs = Number(now[0]) * 1_000 + Math.floor(Number(now[1]) / 1_000);
  const items = rows.map(([entry, offset, attempt, crashes, messageId]) => {
    const [, consumer, heldMs] = holders.get(entry)!;
    const place = { partition, offset: offset < 0 ? null : offset, stream, entry };
    const member = consumer === OWNER ? nullIfEmpty(owner) : consumer;
    return { ...place, messageId: nullIfEmpty(messageId), member, attempt, crashes, heldMs, since: new Date(nowMs - heldMs) };
  });
  return { items, entries, last: ids[entries - 1] ?? after, isEnd: entries === ids.length && ids.length < most };
}

/** Nothing where Redis has lost the stream or its group: nobody holds what is in it. */
async function heldIn(redis: RedisConnection, key: string, { group, after, most }: GroupRange): Promise<readonly Held[]> {
  try {
    return (await redis.call('XPENDING', key, group, `(${after}`, '+', most)) as Held[];
  } catch (error) {
    if (error instanceof RedisFailure && error.kind === 'state-lost') return [];
    throw error;
  }
}

function nullIfEmpty(text: string): string | null {
  return text === '' ? null : text;
}
