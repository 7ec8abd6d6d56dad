import type { RedisConnection } from '@millrace/redis';
import type { GroupPartition } from '../consume/group-partition.js';
import { pairs } from '../log/pairs.js';
import { keyIn } from './parked-names.js';

/** `released`: they are to be handled. */
export type ParkedState = 'parked' | 'released';

/** Keys in one reply. Redis serves nobody else meanwhile: 100,000 keys in one reply take 80 ms, and a page 1 ms. */
const PAGE = 1_000;

/**
 * The keys of a partition of which messages are put aside, in no order. One that changes meanwhile may be there in either state.
 *
 * @param most after so many it reads no further
 */
export async function parkedKeysOf(
  redis: RedisConnection,
  { groupKeys: { parkedKeys } }: Pick<GroupPartition, 'groupKeys'>,
  most = Infinity,
): Promise<Map<string, ParkedState>> {
  const found = new Map<string, ParkedState>();
  let cursor = '0';
  do {
    const [next, fields] = (await redis.call('HSCAN', parkedKeys, cursor, 'COUNT', PAGE)) as [string, string[]];
    for (const [key, state] of pairs(fields)) found.set(keyIn(key), state as ParkedState);
    cursor = next;
  } while (cursor !== '0' && found.size < most);
  return found;
}
