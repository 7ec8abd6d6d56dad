import { MillraceError } from '@millrace/core';
import { DECORATORS } from '../declare/handler-declaration.js';
import { isSingleton } from './handler-finder.js';
import { labelOf } from './handler-method.js';
import { listed } from './listed.js';
import type { ListenerPlan, SubscriptionPlan } from './plan.js';
import { groupedBy } from './same-name.js';

/** Listeners of partitions that would never be called, or that could keep no state for a partition. */
export function listenerConflicts(
  listeners: readonly ListenerPlan[],
  subscriptions: readonly SubscriptionPlan[],
): MillraceError[] {
  const byPlace = groupedBy(listeners, ({ kind, topic, group }) => `${kind} ${topic.name}/${group}`);
  return [...byPlace.values()].flatMap((same) => {
    const [first] = same as [ListenerPlan];
    const where = `${DECORATORS[first.kind]} on ${listed(same.map(({ method }) => labelOf(method)))}`;
    const subscription = subscriptions.find(({ topic, group }) => topic.name === first.topic.name && group === first.group);
    const error = problemOf(same, subscription);
    return error ? [new MillraceError(error.code, `${where}: ${error.text}`)] : [];
  });
}

type Problem = { readonly code: MillraceError['code']; readonly text: string } | null;

function problemOf(same: readonly ListenerPlan[], subscription: SubscriptionPlan | undefined): Problem {
  const { method, topic, group } = same[0]!;
  const what = `group '${group}' of topic '${topic.name}'`;
  if (!subscription) {
    return { code: 'UNKNOWN_GROUP', text: `this application does not subscribe for ${what}. Add the @Subscribe, or correct the group.` };
  }
  if (!subscription.ordering) {
    const label = labelOf(subscription.method);
    return { code: 'INVALID_OPTIONS', text: `${what} has no order, so no process owns a partition. Add ordering: 'key' to ${label}, or remove it.` };
  }
  if (same.length > 1) {
    return { code: 'DUPLICATE_SUBSCRIPTION', text: `both are for ${what}. Only one method can hear of a partition: remove the others.` };
  }
  if (isSingleton(method.wrapper)) return null;
  return { code: 'INVALID_OPTIONS', text: 'its class has no single instance, which could keep anything for a partition. Give it the default scope.' };
}
