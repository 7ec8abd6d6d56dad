import { MillraceError } from '@millrace/core';
import type { PlainProcessor } from '../jobs/processors.js';
import { labelOf } from './handler-method.js';
import { listed } from './listed.js';
import { groupedBy } from './same-name.js';
import type { DeadLetterPlan, JobPlan, SubscriptionPlan } from './plan.js';

interface NamedClass {
  readonly name: string;
  /** Null for a topic without a class. */
  readonly payload: { readonly name: string } | null;
}

/** Two classes with one name: each would read the other's payloads. */
export function classConflicts(kind: 'topic' | 'job', definitions: readonly NamedClass[]): MillraceError[] {
  const byName = groupedBy(definitions, ({ name }) => name);
  return [...byName].flatMap(([name, same]) => {
    const classes = [...new Set(same.flatMap(({ payload }) => payload ?? []))];
    return classes.length > 1 ? [classConflict(kind, name, classes)] : [];
  });
}

/** One topic and group twice: each of the two would get a part of the messages. */
export function duplicateSubscriptions(subscriptions: readonly SubscriptionPlan[]): MillraceError[] {
  const byPlace = groupedBy(subscriptions, placeOf);
  return [...byPlace.values()].filter(({ length }) => length > 1).map((same) => {
    const { topic, group } = same[0]!;
    return new MillraceError(
      'DUPLICATE_SUBSCRIPTION',
      `${methodsOf(same)} subscribe to topic '${topic.name}' for the same group '${group}', so each would get a part of the messages. ` +
        'Give one of them a group of its own.',
    );
  });
}

/** A handler of dead letters without a subscription would never be called, and one of two would not be. */
export function deadLetterConflicts(
  deadLetters: readonly DeadLetterPlan[],
  subscriptions: readonly SubscriptionPlan[],
): MillraceError[] {
  const known = new Map(subscriptions.map((plan) => [placeOf(plan), plan]));
  const byPlace = groupedBy(deadLetters, placeOf);
  return [...byPlace].flatMap(([place, same]) => {
    const [first] = same as [DeadLetterPlan];
    const where = `@OnDeadLetter on ${methodsOf(same)}`;
    const subscription = known.get(place);
    if (!subscription) return [unsubscribed(where, first)];
    if (same.length > 1) return [toldTwice(where, first)];
    return first.type === null || first.type === subscription.type ? [] : [otherType(where, first, subscription)];
  });
}

function unsubscribed(where: string, { topic, group }: DeadLetterPlan): MillraceError {
  const what = `${where}: group '${group}' does not subscribe to topic '${topic.name}' in this application`;
  return new MillraceError('UNKNOWN_GROUP', `${what}, so the method would never be called. Add the @Subscribe, or correct the group.`);
}

function toldTwice(where: string, { topic, group }: DeadLetterPlan): MillraceError {
  const what = `${where}: both are for group '${group}' of topic '${topic.name}'`;
  return new MillraceError('DUPLICATE_SUBSCRIPTION', `${what}. Only one method can handle a dead letter: remove the others.`);
}

/** A method that is for one type would be called with messages of others. */
function otherType(where: string, { topic, type, group }: DeadLetterPlan, subscription: SubscriptionPlan): MillraceError {
  const own = subscription.type === null ? 'all of the topic' : `those of type '${subscription.type}'`;
  const what = `${where}: it is for messages of type '${type!}', but group '${group}' of topic '${topic.name}' handles ${own}`;
  return new MillraceError('CONTRACT_CONFLICT', `${what}. Name the class that ${labelOf(subscription.method)} subscribes to, or the topic's.`);
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

function placeOf({ topic, group }: DeadLetterPlan): string {
  return `${topic.name}/${group}`;
}

function methodsOf(plans: readonly (SubscriptionPlan | DeadLetterPlan | JobPlan)[]): string {
  return listed(plans.map(({ method }) => labelOf(method)));
}
