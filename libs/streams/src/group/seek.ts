import type { Position } from '@millrace/core';
import { loadScript, type RedisConnection, type Topology } from '@millrace/redis';
import { type GroupPartition, groupPartition } from '../consume/group-partition.js';
import { SETTLED_PAGE_OFFSETS, settledKey } from '../keys.js';
import { spanOfId } from '../log/entry-id.js';
import { locate, type Location } from '../log/locate.js';
import { OWNER } from '../own/owner-consumer.js';
import type { Members } from './members.js';

const script = loadScript('../scripts/seek.lua', import.meta.url);

/** The reply while messages that an earlier seek made void are still to be removed. */
const SWEEPING = 'SWEEPING';

type Reply = typeof SWEEPING | readonly [from: number, held: number, dropped: number, to: number];

/** The effect of a seek, or of its preview, on one partition. */
export interface SeekStep {
  readonly partition: number;
  /** The offset that the group would have been given next. */
  readonly from: number;
  /** The offset that it is given next now. */
  readonly to: number;
  /** Messages that it is given again. */
  readonly again: number;
  /** Messages that it never gets. */
  readonly skipped: number;
  /** Messages that waited for another attempt, and come from the log instead. */
  readonly retriesDropped: number;
}

export interface SeekTools {
  readonly redis: Topology;
  readonly prefix: string;
  readonly members: Members;
}

/** `held`: how many messages living members hold. As long as there are any, the seek has done nothing. */
export type SeekResult = SeekStep & { readonly held: number };

/** @throws MillraceError STATE_LOST */
export async function seekPartition(
  tools: SeekTools,
  partition: GroupPartition,
  wish: { position: Position; preview: boolean; force?: boolean },
): Promise<SeekResult> {
  const { keys, groupKeys } = partition;
  const redis = tools.redis.controlFor(keys.log);
  const location = await locate(redis, keys, wish.position);
  const pages = await pagesOf({ redis, prefix: tools.prefix }, partition, location);
  const gone = [...(await tools.members.goneHolders(partition)), ...((await isOwnerQuiet(tools, partition)) ? [OWNER] : [])];
  const { stats, control, open, due, again, body, begun } = groupKeys;
  const all = [keys.log, keys.meta, keys.groups, stats, control, open, due, again, body, begun, ...pages.keys];
  const args = [partition.group, location.after, location.offset, SETTLED_PAGE_OFFSETS, pages.first, wish.preview ? '1' : '0', OWNER, wish.force ? '1' : '0', ...gone];
  let reply: Reply = SWEEPING;
  while (reply === SWEEPING) reply = (await redis.run(script, all, args)) as Reply;
  const [from, held, dropped, to] = reply;
  const place = { partition: partition.partition, from, to };
  return { ...place, again: Math.max(0, from - to), skipped: Math.max(0, to - from), retriesDropped: dropped, held };
}

/**
 * Whether nobody handles what the consumer of all owners holds: the present owner obeys the pause, or is gone. The seek takes the
 * partition from it, so that whoever owns it next reads from the new position.
 */
async function isOwnerQuiet({ redis, prefix, members }: SeekTools, place: GroupPartition): Promise<boolean> {
  const first = groupPartition(prefix, { topic: place.topic, partition: 0 }, place.group);
  const owner = await redis.controlFor(place.keys.log).call('HGET', place.groupKeys.control, 'owner');
  if (typeof owner !== 'string' || members.gone([owner]).length > 0) return true;
  const names = ['paused', `quiet:${owner}`];
  const [paused, quiet] = (await redis.controlFor(first.keys.log).call('HMGET', first.groupKeys.control, ...names)) as (string | null)[];
  return Boolean(paused) && quiet === paused;
}

interface Pages {
  readonly first: number;
  readonly keys: string[];
}

/** Pages from the first pending offset, or from the position, to one behind the end: the log may have grown meanwhile. */
async function pagesOf(
  { redis, prefix }: { readonly redis: RedisConnection; readonly prefix: string },
  partition: GroupPartition,
  { offset }: Location,
): Promise<Pages> {
  const { keys, group } = partition;
  const next = Number(await redis.call('HGET', keys.meta, 'next'));
  const [, oldest] = (await redis.call('XPENDING', keys.log, group)) as [number, string | null];
  const pending = oldest === null ? null : spanOfId(oldest);
  const first = Math.floor(Math.min(offset, pending?.base ?? offset) / SETTLED_PAGE_OFFSETS);
  const last = Math.floor(next / SETTLED_PAGE_OFFSETS) + 1;
  const numbers = Array.from({ length: last - first + 1 }, (_, index) => first + index);
  return { first, keys: numbers.map((page) => settledKey(prefix, partition, page * SETTLED_PAGE_OFFSETS)) };
}
