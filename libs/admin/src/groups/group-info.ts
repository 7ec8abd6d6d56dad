import type { TopicDefinition } from '@millrace/core';
import { type GroupMember, type GroupState, type KnownGroup, type PauseState, sumStates } from '@millrace/streams';
import type { UseCaseParts } from '../parts.js';
import { type GroupTarget, knownGroup } from '../topics/known-topic.js';
import type { ShownBroken } from './shown-broken.js';

/** A group of a topic, summed over its partitions. */
export interface GroupSummary {
  readonly topic: string;
  readonly group: string;
  /** When a member was last seen, by Redis's clock; null when none ever was. */
  readonly seen: Date | null;
  /** Null when the group is not there in Redis: its members make it again. Its `lagSeconds` is null when it is not known. */
  readonly state: GroupState | null;
  /** Null when it is not paused. */
  readonly paused: PauseState | null;
  /** Members that take no messages, since their handlers failed on nearly all: a resume lets them go on. */
  readonly broken: readonly ShownBroken[];
  readonly members: readonly GroupMember[];
}

/** A group with its state in each partition. */
export interface GroupInfo extends GroupSummary {
  /** By partition; null where the group is not there. */
  readonly partitions: readonly (GroupState | null)[];
}

/** @throws MillraceError INVALID_NAME, UNKNOWN_TOPIC, UNKNOWN_GROUP, STATE_LOST */
export async function groupInfo(parts: UseCaseParts, target: GroupTarget): Promise<GroupInfo> {
  const { streams } = parts;
  const topic = await knownGroup(streams.inspector, target);
  const known = (await streams.inspector.groups(topic)).find(({ name }) => name === target.group);
  return infoOf(parts, topic, known ?? { name: target.group, seen: null });
}

export async function infoOf(
  { streams, mask }: UseCaseParts,
  topic: TopicDefinition,
  { name, seen }: KnownGroup,
): Promise<GroupInfo> {
  const [partitions, paused, known, members] = await Promise.all([
    streams.inspector.partitions(topic, name),
    streams.groups.pauseOf(topic, name),
    streams.groups.broken(topic, name),
    streams.groups.members(topic, name),
  ]);
  const states = partitions.filter((state) => state !== null);
  const state = states.length === 0 ? null : sumStates(states);
  const broken = known.map((member) => mask.broken(member));
  return { topic: topic.name, group: name, seen, state, paused, broken, members, partitions };
}
