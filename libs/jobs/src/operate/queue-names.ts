import { isName } from '@millrace/core';
import type { Topology } from '@millrace/redis';
import { bullPrefix } from '../connection/bull-connection.js';

/** Keys that Redis looks at for one answer. */
const A_LOOK = 1_000;

/** Where a search for queues begins. */
export const FIRST_LOOK = '0';

/** Queues that some keys of Redis belong to. */
export interface FoundQueues {
  /** By their names, each once; an earlier look may have found the same ones. */
  readonly names: readonly string[];
  /** For the next look; null when all keys have been looked at. */
  readonly next: string | null;
}

/**
 * Looks at some thousand keys of Redis for those of queues: a queue has no other entry, and nobody keeps a list of them. Every
 * queue that is there from the first look to the last is found by one of them.
 *
 * @throws RedisFailure
 */
export async function lookForQueues({ redis, prefix }: QueueKeyspace, from: string): Promise<FoundQueues> {
  const any = metaKey(prefix, '*');
  const answer = await redis.controlFor(any).call('SCAN', from, 'MATCH', any, 'COUNT', A_LOOK, 'TYPE', 'hash');
  const [next, keys] = answer as [string, string[]];
  const [before, after] = any.split('*') as [string, string];
  const names = keys.map((key) => key.slice(before.length, -after.length)).filter(isName);
  return { names: [...new Set(names)].sort(), next: next === FIRST_LOOK ? null : next };
}

/** Whether a queue was ever used: it has a key from its first job on. */
export async function isQueueThere({ redis, prefix }: QueueKeyspace, name: string): Promise<boolean> {
  const key = metaKey(prefix, name);
  return (await redis.controlFor(key).call('EXISTS', key)) === 1;
}

/** The keys in which queues are looked for. */
export interface QueueKeyspace {
  readonly redis: Topology;
  /** The first part of every key of the platform: `millrace`. */
  readonly prefix: string;
}

/** Hash: BullMQ's settings of a queue. */
function metaKey(prefix: string, queue: string): string {
  return `${bullPrefix(prefix)}:${queue}:meta`;
}
