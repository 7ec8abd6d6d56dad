import type { RedisConnection } from '@millrace/redis';
import type { GroupPartition } from '../consume/group-partition.js';

/** Offsets that a group is given again after a seek: from the first one up to the last, which is not included. */
export interface Replay {
  readonly from: number;
  readonly until: number;
  /** The number of the seek, which each seek raises by one; 0 for a seek of a version that numbered none. */
  readonly number: number;
  /** Whether its messages are handled again though a ledger knows them as done. */
  readonly forced: boolean;
}

/** The messages that a group may be given though it has settled them. */
export interface GivenAgain {
  /** By seeks, as `seek.lua` has stored them: no two overlap. */
  readonly replays: readonly Replay[];
  /** Those before this offset, since the group was made again there; 0 when it never was. */
  readonly remadeAt: number;
}

export async function readGivenAgain(redis: RedisConnection, { groupKeys }: GroupPartition): Promise<GivenAgain> {
  const names = ['replays', 'replayFrom', 'replayUntil', 'remade'];
  const [replays, from, until, remade] = (await redis.call('HMGET', groupKeys.control, ...names)) as (string | null)[];
  const last = { from: from ?? null, until: until ?? null };
  return { replays: replaysIn(replays ?? null, last), remadeAt: Number(remade ?? 0) || 0 };
}

/** @param last as an older process has stored the last one, without a number */
function replaysIn(text: string | null, last: { readonly from: string | null; readonly until: string | null }): Replay[] {
  if (text !== null) return text.split(',').filter((part) => part !== '').map(replayOf);
  return last.until ? [{ from: Number(last.from ?? 0), until: Number(last.until), number: 0, forced: false }] : [];
}

/** The replay that an offset belongs to; null when there is none. */
export function replayAt(replays: readonly Replay[], offset: number): Replay | null {
  return replays.find(({ from, until }) => offset >= from && offset < until) ?? null;
}

function replayOf(text: string): Replay {
  const [from = 0, until = 0, number = 0, forced = 0] = text.split(' ').map(Number);
  return { from, until, number, forced: forced === 1 };
}
