import {
  type Duration, IsDurationOption, IsPosition, IsWholeNumber, MillraceError, parseOptions, type Position, type TopicDefinition,
} from '@millrace/core';
import type { SeekStep } from '@millrace/streams';
import { IsBoolean, IsOptional } from 'class-validator';
import { MutationOptions } from '../mutate/mutation-options.js';
import type { Mutation, Observed } from '../mutate/mutation.js';
import type { UseCaseParts } from '../parts.js';
import { type GroupTarget, knownGroup } from '../topics/known-topic.js';

const FARTHEST = 1_000_000_000_000;

/** The options of `groups.seek`: `to` or `shift`. */
export class SeekGroupOptions extends MutationOptions {
  /** Where the group goes on: `'earliest'`, `'latest'`, a `Date`, or `{ offset: 42 }` in each partition. */
  @IsOptional() @IsPosition()
  to?: Position;

  /** So many messages on, or back when it is negative, in each partition, from where the group is. */
  @IsOptional() @IsWholeNumber({ min: -FARTHEST, max: FARTHEST })
  shift?: number;

  /** One partition alone. Default: all. */
  @IsOptional() @IsWholeNumber({ min: 0 })
  partition?: number;

  /** Handle messages again though a handler with `idempotency` has done them. Default false: they are skipped. */
  @IsOptional() @IsBoolean()
  force?: boolean = false;

  /** How long to wait until no member holds a message any more, `'0ms'` to `'1h'`. Default `'30s'`. */
  @IsOptional() @IsDurationOption({ min: '0ms', max: '1h' })
  within?: Duration = '30s';
}

export interface SeekImpact {
  /** By partition. */
  readonly steps: readonly SeekStep[];
  /** Messages that the group is given again, over all partitions. */
  readonly again: number;
  /** Messages that it never gets. */
  readonly skipped: number;
}

interface Seen extends Observed<SeekImpact> {
  readonly topic: TopicDefinition;
}

/**
 * Sets a group to another position, after a preview: its dry run. A message that the group handles after that makes the
 * confirmation stale, so pause it first; one that is published does not.
 *
 * @throws MillraceError GROUP_BUSY, INVALID_NAME, INVALID_OPTIONS, UNKNOWN_TOPIC, UNKNOWN_GROUP, CONFIRMATION_REQUIRED,
 *   CONFIRMATION_STALE, AUDIT_FAILED
 */
export function seekGroup(
  { streams, mutations }: UseCaseParts,
  { topic: name, group }: GroupTarget,
  options: SeekGroupOptions,
): Promise<Mutation<SeekImpact, SeekImpact>> {
  const { to, shift, partition, force, within, ...terms }: SeekGroupOptions = parseOptions(SeekGroupOptions, options, 'groups.seek()');
  if ((to === undefined) === (shift === undefined)) throw neither();
  const plan: Plan = { streams, group, to, shift: shift ?? 0, partition };
  return mutations.run<SeekImpact, SeekImpact, Seen>(
    {
      name: 'groups.seek', target: { topic: name, group }, terms: { to, shift, partition, force }, isDestructive: true,
      observe: async () => {
        const topic = await knownGroup(streams.inspector, { topic: name, group });
        const steps = await preview(plan, topic);
        return { topic, impact: sumOf(steps), state: steps.map((step) => stateOf(step, to)) };
      },
      apply: async ({ topic, impact }) => sumOf(await seek(plan, topic, { impact, force, within })),
    },
    terms,
  );
}

interface Plan {
  readonly streams: UseCaseParts['streams'];
  readonly group: string;
  readonly to: Position | undefined;
  readonly shift: number;
  readonly partition: number | undefined;
}

async function preview({ streams, group, to, shift, partition }: Plan, topic: TopicDefinition): Promise<SeekStep[]> {
  const steps = await streams.groups.seek(topic, group, { to: to ?? 'latest', partition, preview: true });
  if (to !== undefined) return steps;
  const shifted = steps.map(({ partition: own, from }) => {
    return streams.groups.seek(topic, group, { to: { offset: Math.max(0, from + shift) }, partition: own, preview: true });
  });
  return (await Promise.all(shifted)).flat();
}

interface Wish {
  readonly impact: SeekImpact;
  readonly force: boolean | undefined;
  readonly within: Duration | undefined;
}

/** A shift goes in each partition to where the dry run said. */
async function seek(plan: Plan, topic: TopicDefinition, { impact, ...how }: Wish): Promise<SeekStep[]> {
  const { streams, group, to, partition } = plan;
  if (to !== undefined) return streams.groups.seek(topic, group, { to, partition, ...how });
  const steps: SeekStep[] = [];
  for (const step of impact.steps) {
    const target = { to: { offset: step.to }, partition: step.partition };
    steps.push(...(await streams.groups.seek(topic, group, { ...target, ...how })));
  }
  return steps;
}

/** The end of a topic goes on while it is published to: a seek to there skips what is published, too. */
function stateOf({ partition, from, to, again, retriesDropped }: SeekStep, wish: Position | undefined): unknown {
  return wish === 'latest' ? [partition, from, retriesDropped] : [partition, from, to, again, retriesDropped];
}

function sumOf(steps: readonly SeekStep[]): SeekImpact {
  const sum = (pick: (step: SeekStep) => number): number => steps.reduce((all, step) => all + pick(step), 0);
  return { steps, again: sum(({ again }) => again), skipped: sum(({ skipped }) => skipped) };
}

function neither(): MillraceError {
  return new MillraceError('INVALID_OPTIONS', 'groups.seek(): say where the group goes on: to or shift, and not both.');
}
