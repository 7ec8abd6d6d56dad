import { loadScript, type RedisConnection } from '@millrace/redis';
import type { GroupStream } from '../consume/group-partition.js';
import { SETTLED_PAGE_OFFSETS, settledKey } from '../keys.js';

const script = loadScript('../scripts/put-back.lua', import.meta.url);

/** Entries looked at in one call: a larger page would block Redis. */
const PAGE = 100;
/** Lower than every entry id. */
const BEGINNING = '0-0';
const END = '-';

export interface PutBackWish {
  /** The member that holds the messages. */
  readonly owner: string;
  /** `dead`: its process vanished, which counts as a crash; `left`: it is gone, which does not; or `living`. */
  readonly fate: 'dead' | 'left' | 'living';
  /** Ids of the entries that the member keeps. */
  readonly kept?: readonly string[];
}

/**
 * Puts back the messages that a member holds of one stream of a group, for another member to handle.
 *
 * @returns how many messages
 */
export async function putBack(
  { redis, prefix }: { readonly redis: RedisConnection; readonly prefix: string },
  stream: GroupStream,
  { owner, fate, kept = [] }: PutBackWish,
): Promise<number> {
  const { partition, kind, key } = stream;
  const { again, stats, open, begun, due, body, control } = partition.groupKeys;
  const own = [key, again, stats, open, begun, partition.keys.log, due, body, control];
  const pageKey = (page: number): string => settledKey(prefix, partition, page * SETTLED_PAGE_OFFSETS);
  let [after, page, count] = [BEGINNING, 0, 0];
  while (after !== END) {
    const keys = [...own, pageKey(page), pageKey(page + 1)];
    const args = [partition.group, owner, kind, SETTLED_PAGE_OFFSETS, page, fate, PAGE, after, ...kept];
    const [next, moved, wanted] = (await redis.run(script, keys, args)) as [string, number, number];
    after = next;
    count += moved;
    if (wanted >= 0) page = wanted;
  }
  return count;
}
