import { loadScript, type RedisConnection } from '@millrace/redis';

const script = loadScript('../scripts/read-entries.lua', import.meta.url);

/** Bytes behind which one call reads no more. */
const MOST_BYTES = 65_536;

/** Entries of a stream: ids as XRANGE takes them. */
export interface EntryRange {
  readonly from: string;
  readonly to: string;
  /** The most entries; fewer come where they are large. */
  readonly most: number;
  /** The newest first, from the higher id down to the lower one. Default: the oldest first. */
  readonly isBack?: boolean;
}

export interface EntryPage {
  readonly entries: readonly (readonly [id: string, fields: readonly string[]])[];
  /** Whether there are no more in the range. */
  readonly isEnd: boolean;
}

/** Entries of a stream in the order of their ids, as many as one call may read without holding Redis up. */
export async function readEntries(redis: RedisConnection, stream: string, range: EntryRange): Promise<EntryPage> {
  const { from, to, most, isBack = false } = range;
  const args = [from, to, most, MOST_BYTES, ...(isBack ? ['1'] : [])];
  const [entries, end] = (await redis.run(script, [stream], args)) as [[string, string[]][], string];
  return { entries, isEnd: end === '1' };
}
