import { durationMs, parseOptions, type TopicDefinition } from '@millrace/core';
import type { Topology } from '@millrace/redis';
import type { Presence } from '../group/presence.js';
import { type GroupState, type Inspector, sumStates } from '../inspect/inspector.js';
import { unknownGroup } from '../log/known-group.js';
import type { PartitionCounts } from '../log/partition-counts.js';
import type { TopicLog } from '../log/topic-log.js';
import { RemoveOptions } from './remove-options.js';
import { Remover } from './remover.js';
import { Tombstones } from './tombstones.js';

/** Counts of what the removal of a group takes or would take; all but the members are messages. */
export interface GroupRemoval {
  readonly group: string;
  /** Published since the group started, and neither handled nor given up yet: the group never handles them. */
  readonly lag: number;
  /** The part of the lag that members hold, in entries. */
  readonly pending: number;
  /** The part of the lag that waits for its next attempt. */
  readonly retrying: number;
  /** Messages and jobs that its handlers forwarded, and that are not where they go yet: they are dropped. */
  readonly forwarding: number;
  /** Present dead letters. */
  readonly deadLetters: number;
  /** Members that may live: a vanished one counts until it was silent for its lease. */
  readonly members: readonly string[];
}

export interface RemovalParts {
  readonly redis: Topology;
  readonly prefix: string;
  readonly presence: Presence;
  readonly inspector: Inspector;
  readonly log: TopicLog;
  readonly counts: PartitionCounts;
}

interface Target {
  readonly topic: TopicDefinition;
  readonly group: string;
}

/** @throws MillraceError UNKNOWN_GROUP, GROUP_BUSY, INVALID_OPTIONS */
export async function removeGroup(parts: RemovalParts, target: Target, options: RemoveOptions): Promise<GroupRemoval> {
  const { preview, force, within } = parseOptions(RemoveOptions, options, 'remove()');
  const { topic, group } = target;
  const removal = await groupRemovalOf(parts, target);
  if (removal === null) throw await unknownGroup(parts.redis, parts.prefix, target);
  if (preview) return removal;
  const number = await new Remover(parts).begin({ topic: topic.name, group }, { force, withinMs: durationMs(within) });
  await new Tombstones(parts.redis, parts.prefix).finishGroup(topic, group, number);
  return removal;
}

/** The counts of a group, also of a damaged or partly removed one; null when nothing is known of the group. */
export async function groupRemovalOf(parts: RemovalParts, { topic, group }: Target): Promise<GroupRemoval | null> {
  const { number, members } = await new Remover(parts).look({ topic: topic.name, group });
  const states = (await parts.inspector.partitions(topic, group)).filter((state) => state !== null);
  if (number === null && states.length === 0) return null;
  return { group, ...countsOf(states), members };
}

function countsOf(states: readonly GroupState[]): Omit<GroupRemoval, 'group' | 'members'> {
  if (states.length === 0) return { lag: 0, pending: 0, retrying: 0, forwarding: 0, deadLetters: 0 };
  const { lag, pending, retrying, forwarding, deadLetters } = sumStates(states);
  return { lag, pending, retrying, forwarding, deadLetters };
}
