import type { Durability, MillraceError, TopicDefinition } from '@millrace/core';
import { loadScript, RedisFailure, redisFailure } from '@millrace/redis';
import { Unconfirmed } from '../durable/confirmation.js';
import { type DurableRoutes, runDurably } from '../durable/durable-routes.js';
import { type PartitionKeys, SETTLED_PAGE_OFFSETS } from '../keys.js';
import { duesOf, entriesOf } from '../publish/batch.js';
import type { Packing } from '../publish/packing.js';
import { boundsOf } from '../retain/retained-partition.js';
import type { SendableMessage } from './forward-text.js';

const publishForwarded = loadScript('../scripts/publish.lua', import.meta.url);

/** A message with its number in its lane. */
export interface Numbered<Item = SendableMessage> {
  readonly number: number;
  readonly item: Item;
}

export interface ForwardChunk {
  /** The lane with its generation. */
  readonly source: string;
  readonly messages: readonly Numbered[];
  readonly topic: TopicDefinition;
  readonly keys: PartitionKeys;
  readonly durability: Durability;
  /** The number of partitions by which they are routed. */
  readonly partitions: number;
  /** Whether there is more to send than one call after the other can carry. */
  readonly follows: boolean;
}

/**
 * - `stored`: all of them.
 * - `known`: those up to the number `last` were stored before; nothing was stored now.
 * - `moved`, `undeclared`, `full`: nothing was stored, as the script says.
 */
export type ForwardAnswer = { readonly kind: 'stored' | 'moved' | 'undeclared' | 'full' } | { readonly kind: 'known'; readonly last: number };

const KINDS: Readonly<Record<string, 'moved' | 'undeclared' | 'full'>> = { MOVED: 'moved', UNDECLARED: 'undeclared', FULL: 'full' };

/** The name of a lane among the producers of a partition. No other producer's name begins so. */
export function sourceName(source: string): string {
  return `>${source}`;
}

/** The field in which a partition keeps the last number that it stored of a lane, for messages that were routed by that number of partitions. */
export function recordName(source: string, partitions: number): string {
  return `${sourceName(source)}/${partitions}`;
}

/**
 * Stores messages of one lane in a partition.
 *
 * @throws RedisFailure, MillraceError: they may be stored, unless the failure says that they were not sent
 */
export async function storeForwarded(routes: DurableRoutes, packing: Packing, chunk: ForwardChunk): Promise<ForwardAnswer> {
  const { source, messages, topic, keys, durability, partitions, follows } = chunk;
  const items = messages.map(({ item }) => item);
  const perEntry = packing({ messages: items.length, follows });
  const dues = duesOf(items);
  const extras = dues === '' ? [] : [topic.idempotencyWindowMs, '', '', dues];
  const extraKeys = dues === '' ? [] : [...keys.ids, keys.delayed];
  const numbers = `${messages[0]!.number} ${messages.at(-1)!.number}`;
  const head = [sourceName(source), numbers, 0, items.length, perEntry, SETTLED_PAGE_OFFSETS, ...boundsOf(topic.retention), partitions];
  const call = { keys: [keys.log, keys.meta, keys.producers, ...extraKeys], args: [...head, ...extras, ...entriesOf(items, perEntry)] };
  const { reply, shortfall } = await runDurably(routes.to(keys.log, durability), publishForwarded, call);
  const answer = answerOf(String(reply));
  if (shortfall && (answer.kind === 'stored' || answer.kind === 'known')) throw unsure(shortfall);
  return answer;
}

function answerOf(reply: string): ForwardAnswer {
  const kind = KINDS[reply];
  if (kind) return { kind };
  return reply.startsWith('KNOWN ') ? { kind: 'known', last: Number(reply.slice(6)) } : { kind: 'stored' };
}

/** They are sent again, and asked for again. */
function unsure(shortfall: Error): MillraceError {
  return shortfall instanceof Unconfirmed ? new RedisFailure('indeterminate', shortfall.message, shortfall) : redisFailure(shortfall, 'publish');
}
