import { IsMoment, parseOptions, type TopicDefinition } from '@millrace/core';
import type { PartitionFacts, Purged } from '@millrace/streams';
import { IsBoolean, IsOptional } from 'class-validator';
import { MutationOptions } from '../mutate/mutation-options.js';
import type { Mutation, Observed } from '../mutate/mutation.js';
import type { UseCaseParts } from '../parts.js';
import { knownTopic, type TopicTarget } from './known-topic.js';
import { factsOf, stateOf } from './topic-summary.js';

/** The options of `topics.purge`. */
export class PurgeTopicOptions extends MutationOptions {
  /** Messages that were stored before this moment, by Redis's clock. Default: all that are there at the dry run. */
  @IsOptional() @IsMoment()
  before?: Date;

  /** Messages, too, that a group has not settled: it never gets them. Default false: they stay, and those behind them. */
  @IsOptional() @IsBoolean()
  unsettled?: boolean = false;
}

export interface PurgeImpact {
  /** Messages from before the moment: those that go at the most. */
  readonly messages: number;
  readonly before: Date;
  /** The groups that are not done with the topic, and how many of its messages each has before it. */
  readonly groups: readonly { readonly group: string; readonly lag: number }[];
}

interface Seen extends Observed<PurgeImpact> {
  readonly topic: TopicDefinition;
}

/**
 * Removes the messages of a topic that were there at the dry run, and leaves the topic, its groups, what is delayed and the dead
 * letters. A message that is published after the dry run stays, and does not make its confirmation stale.
 *
 * @throws MillraceError INVALID_NAME, INVALID_OPTIONS, UNKNOWN_TOPIC, CONFIRMATION_REQUIRED, CONFIRMATION_STALE, AUDIT_FAILED
 */
export function purgeTopic(
  { streams, mutations }: UseCaseParts,
  { topic: name }: TopicTarget,
  options: PurgeTopicOptions,
): Promise<Mutation<PurgeImpact, Purged>> {
  const { before, unsettled, ...terms }: PurgeTopicOptions = parseOptions(PurgeTopicOptions, options, 'topics.purge()');
  const observe = async (boundary: string | null): Promise<Seen> => {
    const topic = await knownTopic(streams.inspector, name);
    const facts = await factsOf(streams.reader, topic);
    const until = before ?? boundaryOf(boundary) ?? behind(facts);
    const ends = await Promise.all(facts.map((one) => endOf(streams, { topic, facts: one, until })));
    const groups = await lagsOf(streams, topic);
    const messages = facts.reduce((sum, { firstOffset }, partition) => sum + Math.max(0, ends[partition]! - firstOffset), 0);
    const logs = facts.map(({ generation, firstOffset }, partition) => [generation, firstOffset, ends[partition]]);
    const state = [logs, groups.map(({ group }) => group)];
    return { topic, impact: { messages, before: until, groups }, state, boundary: `${until.getTime()}` };
  };
  return mutations.run<PurgeImpact, Purged, Seen>(
    {
      name: 'topics.purge', target: { topic: name }, terms: { before, unsettled }, isDestructive: true, observe,
      apply: ({ topic, impact }) => streams.topics.purge(topic, { before: impact.before, unsettled }),
      isPartial: ({ heldBy }) => heldBy.length > 0,
    },
    terms,
  );
}

function boundaryOf(boundary: string | null): Date | null {
  return boundary !== null && /^\d{1,15}$/.test(boundary) ? new Date(Number(boundary)) : null;
}

/** The first moment behind all that is there. */
function behind(facts: readonly PartitionFacts[]): Date {
  return new Date(Math.max(0, ...facts.map(({ lastAt }) => lastAt?.getTime() ?? 0)) + 1);
}

interface End {
  readonly topic: TopicDefinition;
  readonly facts: PartitionFacts;
  readonly until: Date;
}

/** Offset of the first message that stays. */
async function endOf({ reader }: UseCaseParts['streams'], { topic, facts, until }: End): Promise<number> {
  if (facts.generation === null) return 0;
  return (await reader.locate({ topic, partition: facts.partition }, until)).offset;
}

async function lagsOf({ inspector }: UseCaseParts['streams'], topic: TopicDefinition): Promise<{ group: string; lag: number }[]> {
  const lags: { group: string; lag: number }[] = [];
  for (const { name: group } of await inspector.groups(topic)) {
    const lag = (await stateOf(inspector, topic, group))?.lag ?? 0;
    if (lag > 0) lags.push({ group, lag });
  }
  return lags;
}
