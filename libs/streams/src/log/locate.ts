import { MillraceError, type Position } from '@millrace/core';
import { loadScript, type RedisConnection } from '@millrace/redis';
import type { PartitionKeys } from '../keys.js';
import { formatError } from './log-format.js';

const script = loadScript('../scripts/locate.lua', import.meta.url);

export interface Location {
  /** The entry id to read after. */
  readonly after: string;
  /** Offset of the first message from there on. */
  readonly offset: number;
}

/**
 * Finds a position in one partition.
 *
 * @throws MillraceError STATE_LOST when the partition is not there, UNSUPPORTED_VERSION when its log is of another format
 */
export async function locate(redis: RedisConnection, { log, meta }: PartitionKeys, position: Position): Promise<Location> {
  const reply = (await redis.run(script, [log, meta], argumentsOf(position))) as [string, number] | 'UNDECLARED';
  if (reply === 'UNDECLARED') throw new MillraceError('STATE_LOST', `There is no log at ${log}: nothing was published there, or Redis has lost it.`);
  const refused = formatError(log, reply);
  if (refused) throw refused;
  const [after, offset] = reply;
  return { after, offset };
}

function argumentsOf(position: Position): [kind: string, value: number] {
  if (typeof position === 'string') return [position, 0];
  return position instanceof Date ? ['time', position.getTime()] : ['offset', position.offset];
}
