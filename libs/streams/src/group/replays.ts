import type { RedisConnection } from '@millrace/redis';
import type { GroupPartition } from '../consume/group-partition.js';

/** Offsets that a group is given again after a seek: from the first one up to the last, which is not included. */
export interface Replay {
  readonly from: number;
  readonly until: number;
  /** The number of the seek, which each seek raises by one; 0 for a seek of a version that numbered none. */
  readonly number: number;
}

/** The replays of a group in one partition, as `seek.lua` has stored them: no two overlap. */
export async function readReplays(redis: RedisConnection, { groupKeys }: GroupPartition): Promise<Replay[]> {
  const names = ['replays', 'replayFrom', 'replayUntil'];
  const [replays, from, until] = (await redis.call('HMGET', groupKeys.control, ...names)) as (string | null)[];
  if (replays !== null && replays !== undefined) return replays.split(',').filter((text) => text !== '').map(replayOf);
  return until ? [{ from: Number(from ?? 0), until: Number(until), number: 0 }] : [];
}

/** The number of the replay that an offset belongs to; null when there is none. */
export function replayAt(replays: readonly Replay[], offset: number): number | null {
  return replays.find(({ from, until }) => offset >= from && offset < until)?.number ?? null;
}

function replayOf(text: string): Replay {
  const [from = 0, until = 0, number = 0] = text.split(' ').map(Number);
  return { from, until, number };
}
