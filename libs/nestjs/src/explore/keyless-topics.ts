import { labelOf } from './handler-method.js';
import type { SubscriptionPlan } from './plan.js';

/** Groups that are ordered by key, of topics that give their messages none: only a publish can name one. */
export function keylessTopics(subscriptions: readonly SubscriptionPlan[]): string[] {
  return subscriptions.filter(({ topic, ordering }) => ordering?.by === 'key' && topic.key === undefined).map(warningOf);
}

function warningOf({ method, topic, group }: SubscriptionPlan): string {
  return (
    `${labelOf(method)} is ordered by key, but topic '${topic.name}' has no key, so group '${group}' dead-letters every message that is ` +
    `published without one, with NO_KEY. Give the topic a key, such as key: (payload) => payload.id, or name the key in each ` +
    'publish; then there is nothing to do.'
  );
}
