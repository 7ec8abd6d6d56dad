import type { RedisConnection } from '@millrace/redis';
import { deadLetterId, type DeadLetterReason } from '../consume/dead-letter-reason.js';
import { groupKeys } from '../keys.js';
import type { Place } from '../log/topic-log.js';

export interface DeadLetterRecord extends DeadLetterReason {
  /** `<partition>:<entry id>`: unique among the dead letters of a group on a topic. */
  readonly id: string;
  /** The message exactly as it was stored. */
  readonly envelope: string;
}

export interface Page {
  /** The entry id after which to begin. */
  readonly after: string;
  /** The last entry id wanted; `'+'` for the end. */
  readonly until: string;
  readonly limit: number;
}

/** Where the dead letters of a group in one partition are. */
export interface DeadLetterPlace extends Place {
  readonly prefix: string;
  readonly group: string;
}

/** Dead letters of one partition, the oldest first. */
export async function readDeadLetters(redis: RedisConnection, place: DeadLetterPlace, page: Page): Promise<DeadLetterRecord[]> {
  const { after, until, limit } = page;
  const { dead } = groupKeys(place.prefix, place, place.group);
  const entries = (await redis.call('XRANGE', dead, `(${after}`, until, 'COUNT', limit)) as [string, string[]][];
  return entries.map(([id, fields]) => recordOf(deadLetterId(place.partition, id), fields));
}

/** One of them by its entry id, or null when it is not there (any more). */
export async function readDeadLetter(
  redis: RedisConnection,
  place: DeadLetterPlace,
  entry: string,
): Promise<DeadLetterRecord | null> {
  const { dead } = groupKeys(place.prefix, place, place.group);
  const [found] = (await redis.call('XRANGE', dead, entry, entry)) as [string, string[]][];
  return found ? recordOf(deadLetterId(place.partition, entry), found[1]) : null;
}

function recordOf(id: string, [, envelope = '', , reason = '{}']: string[]): DeadLetterRecord {
  return { ...(JSON.parse(reason) as DeadLetterReason), id, envelope };
}
