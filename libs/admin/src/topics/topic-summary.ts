import type { TopicDefinition } from '@millrace/core';
import { type GroupState, type Inspector, type LogReader, type PartitionFacts, sumStates } from '@millrace/streams';

/** The group of a topic that is furthest behind. */
export interface WorstLag {
  readonly group: string;
  readonly messages: number;
  /** Null when it is not known. */
  readonly seconds: number | null;
}

/** The logs and the groups of a topic, in sums. */
export interface TopicSummary {
  readonly name: string;
  readonly partitions: number;
  /** Messages that it holds, whether its groups have handled them or not. */
  readonly messages: number;
  /** Messages that are not due yet. */
  readonly delayed: number;
  /** When the oldest of them was stored, by Redis's clock; null when it holds none. */
  readonly oldestAt: Date | null;
  readonly newestAt: Date | null;
  readonly groups: number;
  /** An unknown number of seconds counts as the worst. Null when no group is there. */
  readonly worstLag: WorstLag | null;
  readonly deadLetters: number;
}

interface Readers {
  readonly inspector: Inspector;
  readonly reader: LogReader;
}

/** The logs of all partitions of a topic. */
export function factsOf(reader: LogReader, topic: TopicDefinition): Promise<PartitionFacts[]> {
  return Promise.all(Array.from({ length: topic.partitions }, (_, partition) => reader.facts({ topic, partition })));
}

/** The state of a group summed over the partitions where it is there; null when it is there nowhere. */
export async function stateOf(inspector: Inspector, topic: TopicDefinition, group: string): Promise<GroupState | null> {
  const states = (await inspector.partitions(topic, group)).filter((state) => state !== null);
  return states.length === 0 ? null : sumStates(states);
}

export async function summaryOf({ inspector, reader }: Readers, topic: TopicDefinition): Promise<TopicSummary> {
  const [facts, groups] = await Promise.all([factsOf(reader, topic), inspector.groups(topic)]);
  const lags: WorstLag[] = [];
  let deadLetters = 0;
  // One group after the other: each asks every partition.
  for (const { name: group } of groups) {
    const state = await stateOf(inspector, topic, group);
    if (state === null) continue;
    lags.push({ group, messages: state.lag, seconds: state.lagSeconds });
    deadLetters += state.deadLetters;
  }
  const sums = { ...sumOf(facts), groups: groups.length, worstLag: worst(lags), deadLetters };
  return { name: topic.name, partitions: topic.partitions, ...sums };
}

type Sums = Pick<TopicSummary, 'messages' | 'delayed' | 'oldestAt' | 'newestAt'>;

export function sumOf(facts: readonly PartitionFacts[]): Sums {
  const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);
  const times = (pick: (one: PartitionFacts) => Date | null): number[] => facts.flatMap((one) => pick(one)?.getTime() ?? []);
  const [oldest, newest] = [times(({ firstAt }) => firstAt), times(({ lastAt }) => lastAt)];
  return {
    messages: sum(facts.map(({ messages }) => messages)),
    delayed: sum(facts.map(({ delayed }) => delayed)),
    oldestAt: oldest.length === 0 ? null : new Date(Math.min(...oldest)),
    newestAt: newest.length === 0 ? null : new Date(Math.max(...newest)),
  };
}

function worst(lags: readonly WorstLag[]): WorstLag | null {
  const seconds = (lag: WorstLag): number => lag.seconds ?? Infinity;
  return lags.reduce<WorstLag | null>((one, other) => (one === null || seconds(other) > seconds(one) ? other : one), null);
}
