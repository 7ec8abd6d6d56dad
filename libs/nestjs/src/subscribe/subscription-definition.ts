import type { SubscriptionDefinition } from '@millrace/core';
import type { SubscriptionPlan } from '../explore/plan.js';

/** The part of a plan that the engine goes by. */
type PlannedRules = Pick<
  SubscriptionPlan,
  'topic' | 'group' | 'concurrency' | 'crashLimit' | 'durability' | 'start' | 'rateLimit' | 'deadLetters' | 'ordering' | 'retry'
  | 'breaker'
>;

/** @param signal aborts when the start is wanted no more */
export function subscriptionDefinition(plan: PlannedRules, signal: AbortSignal): SubscriptionDefinition {
  const { topic, group, concurrency, crashLimit, durability, start, rateLimit, deadLetters, ordering, retry, breaker } = plan;
  const { unknownForMs = 0 } = retry;
  const rules = { topic, group, concurrency, crashLimit, durability, start, deadLetters, unknownForMs };
  return { ...rules, signal, ...(rateLimit && { rateLimit }), ...(ordering && { ordering }), ...(breaker && { breaker }) };
}

/** The name of the ledger of a group. */
export function scopeOf({ topic, group }: Pick<PlannedRules, 'topic' | 'group'>): string {
  return `topic:${topic.name}:${group}`;
}
