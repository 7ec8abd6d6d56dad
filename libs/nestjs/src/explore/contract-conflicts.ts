import { MillraceError } from '@millrace/core';
import type { PlainProcessor } from '../jobs/processors.js';
import { labelOf } from './handler-method.js';
import { groupedBy } from './same-name.js';
import type { JobPlan, SubscriptionPlan } from './plan.js';

interface NamedClass {
  readonly name: string;
  readonly payload: { readonly name: string };
}

/** Two classes with one name: each would read the other's payloads. */
export function classConflicts(kind: 'topic' | 'job', definitions: readonly NamedClass[]): MillraceError[] {
  const byName = groupedBy(definitions, ({ name }) => name);
  return [...byName].flatMap(([name, same]) => {
    const classes = [...new Set(same.map(({ payload }) => payload))];
    return classes.length > 1 ? [classConflict(kind, name, classes)] : [];
  });
}

/** One topic and group twice: each of the two would get a part of the messages. */
export function duplicateSubscriptions(subscriptions: readonly SubscriptionPlan[]): MillraceError[] {
  const byPlace = groupedBy(subscriptions, ({ topic, group }) => `${topic.name}/${group}`);
  return [...byPlace.values()].filter(({ length }) => length > 1).map((same) => {
    const { topic, group } = same[0]!;
    return new MillraceError(
      'DUPLICATE_SUBSCRIPTION',
      `${methodsOf(same)} subscribe to topic '${topic.name}' for the same group '${group}', so each would get a part of the messages. ` +
        'Give one of them a group of its own.',
    );
  });
}

/** One job handled twice: only one of them could ever run. */
export function duplicateJobHandlers(jobs: readonly JobPlan[]): MillraceError[] {
  const byJob = groupedBy(jobs, ({ job }) => `${job.queue}/${job.name}`);
  return [...byJob.values()].filter(({ length }) => length > 1).map((same) => {
    const { job } = same[0]!;
    return new MillraceError(
      'DUPLICATE_JOB_HANDLER',
      `${methodsOf(same)} handle the same job '${job.name}' of queue '${job.queue}'. A job is done by one handler: remove the others.`,
    );
  });
}

/** A plain BullMQ processor and our worker on one queue: each would take jobs that it does not know from the other. */
export function processorConflicts(jobs: readonly JobPlan[], processors: readonly PlainProcessor[]): MillraceError[] {
  return processors.flatMap(({ queue, label }) => {
    const stolen = jobs.filter(({ job }) => job.queue === queue);
    return stolen.length > 0 ? [processorConflict(queue, label, stolen)] : [];
  });
}

function classConflict(kind: 'topic' | 'job', name: string, classes: readonly { readonly name: string }[]): MillraceError {
  const decorator = kind === 'topic' ? '@Topic' : '@Job';
  return new MillraceError(
    'CONTRACT_CONFLICT',
    `${listed(classes.map((type) => type.name))} are different classes with the same ${decorator} name '${name}'. ` +
      `A ${kind} is one class: rename one of them, or import the same class everywhere.`,
  );
}

function processorConflict(queue: string, processor: string, stolen: readonly JobPlan[]): MillraceError {
  return new MillraceError(
    'CONTRACT_CONFLICT',
    `Queue '${queue}' has both a @Processor (${processor}) and @JobHandler (${methodsOf(stolen)}): they would take each other's jobs. ` +
      'Give the jobs a queue of their own, or turn the processor into a @JobHandler.',
  );
}

function methodsOf(plans: readonly (SubscriptionPlan | JobPlan)[]): string {
  return listed(plans.map(({ method }) => labelOf(method)));
}

function listed(names: readonly string[]): string {
  return names.length < 2 ? names.join('') : `${names.slice(0, -1).join(', ')} and ${names.at(-1)!}`;
}
