import { checkEach } from '@millrace/core';
import { type EventDefaults, eventGroups, type GroupPlan, planOf } from './event-groups.js';
import type { RegisteredHandler } from './handler-book.js';
import { hasWildcard, withoutWildcards } from './wildcard.js';

export const NOT_SERVED = 'The event patterns of this application cannot be served.';

/** A topic that patterns name without a wildcard. */
export interface NamedTopic {
  readonly name: string;
  /** As it stands in a decorator; a class, where one of them has it. */
  readonly pattern: unknown;
  readonly plans: readonly GroupPlan[];
}

/** The subscriptions that the event patterns of a server ask for. */
export interface EventPlans {
  readonly named: readonly NamedTopic[];
  /** Any topic that a wildcard stands for shows the mistakes that would be found in all of them. */
  readonly samples: readonly GroupPlan[];
}

/** @throws MillraceError INVALID_OPTIONS: all mistakes in the extras of patterns */
export function eventPlans(handlers: readonly RegisteredHandler[], defaults: EventDefaults): EventPlans {
  const named = namedPatterns(handlers);
  const samples = handlers.map(({ route }) => withoutWildcards(route)).filter((name) => !named.has(name));
  const groups = [...new Set([...named.keys(), ...samples])].flatMap((name) => eventGroups(name, handlers, defaults));
  const plans = checkEach(NOT_SERVED, groups, (group) => ({ name: group.topic, plan: planOf(group, defaults) }));
  const plansOf = (topic: string): GroupPlan[] => plans.filter(({ name }) => name === topic).map(({ plan }) => plan);
  return {
    named: [...named].map(([name, pattern]) => ({ name, pattern, plans: plansOf(name) })),
    samples: [...new Set(samples)].flatMap(plansOf),
  };
}

/** A class in one pattern decides about plain patterns of the same topic. */
function namedPatterns(handlers: readonly RegisteredHandler[]): Map<string, unknown> {
  const isPlain = ({ pattern }: RegisteredHandler): boolean => typeof pattern === 'string';
  const withName = handlers.filter(({ route }) => !hasWildcard(route));
  const inOrder = [...withName.filter(isPlain), ...withName.filter((handler) => !isPlain(handler))];
  return new Map(inOrder.map(({ route, pattern }) => [route, pattern]));
}
