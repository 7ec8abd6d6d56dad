import { type Duration, IsDurationOption, parseOptions, type TopicDefinition } from '@millrace/core';
import type { BrokenMember, PauseResult, PauseState } from '@millrace/streams';
import { IsOptional } from 'class-validator';
import { MutationOptions } from '../mutate/mutation-options.js';
import type { Mutation, Observed } from '../mutate/mutation.js';
import type { UseCaseParts } from '../parts.js';
import { type GroupTarget, knownGroup } from '../topics/known-topic.js';

/** The options of `groups.pause`. */
export class PauseGroupOptions extends MutationOptions {
  /** How long to wait until no member holds a message any more, `'0ms'` to `'1h'`. Default `'30s'`. */
  @IsOptional() @IsDurationOption({ min: '0ms', max: '1h' })
  within?: Duration = '30s';
}

export interface PauseImpact {
  /** The pause that is in force before; null when there is none. */
  readonly before: PauseState | null;
  /** Members that take no messages before, since their handlers failed on nearly all; `groups.info` has their errors. */
  readonly broken: readonly Omit<BrokenMember, 'error'>[];
}

interface Seen extends Observed<PauseImpact> {
  readonly topic: TopicDefinition;
}

/** @throws MillraceError INVALID_NAME, UNKNOWN_TOPIC, UNKNOWN_GROUP, STATE_LOST */
export async function seePause({ streams }: UseCaseParts, target: GroupTarget): Promise<Seen> {
  const topic = await knownGroup(streams.inspector, target);
  const before = await streams.groups.pauseOf(topic, target.group);
  const broken = await streams.groups.broken(topic, target.group);
  // Errors may quote messages: the audit stream, which has the impact, is no place for them.
  return { topic, impact: { before, broken: broken.map(({ error: _, ...member }) => member) } };
}

/**
 * Pauses a group until it is resumed. The result names members that still hold messages when the time is up.
 *
 * @throws MillraceError INVALID_NAME, INVALID_OPTIONS, UNKNOWN_TOPIC, UNKNOWN_GROUP, AUDIT_FAILED
 */
export function pauseGroup(
  parts: UseCaseParts,
  { topic, group }: GroupTarget,
  options: PauseGroupOptions,
): Promise<Mutation<PauseImpact, PauseResult>> {
  const { within, ...terms }: PauseGroupOptions = parseOptions(PauseGroupOptions, options, 'groups.pause()');
  return parts.mutations.run<PauseImpact, PauseResult, Seen>(
    {
      name: 'groups.pause', target: { topic, group }, terms: {}, isDestructive: false,
      observe: () => seePause(parts, { topic, group }),
      apply: (seen) => parts.streams.groups.pause(seen.topic, group, { within, by: terms.actor }),
      isPartial: ({ busy }) => busy.length > 0,
    },
    terms,
  );
}
