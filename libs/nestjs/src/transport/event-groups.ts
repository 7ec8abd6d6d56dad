import { isDeepStrictEqual } from 'node:util';
import { messageTypeOf, MillraceError, type PayloadClass, quote } from '@millrace/core';
import { parsedSubscription, type SubscriptionRules } from '../explore/declared-handlers.js';
import type { SubscribeOptions } from '../subscribe/subscribe-options.js';
import { contractIn, type RegisteredHandler } from './handler-book.js';
import { hasWildcard, matchesPattern } from './wildcard.js';

/** The options of a server that are those of its event handlers, unless their extras say others. */
export type EventDefaults = Pick<SubscribeOptions, 'concurrency' | 'retry' | 'timeout'> & { readonly group: string };

/** The handlers of one group for one topic: an event is done when all of them are. */
export interface EventGroup {
  readonly rules: SubscriptionRules;
  readonly handlers: readonly RegisteredHandler[];
}

/** Extras of Nest's own transports, for applications with several. */
const FOREIGN = ['queue', 'qos'];
/** They are for subscriptions of `@Subscribe` alone. */
const REFUSED = ['inbox', 'idempotency', 'filter'];

/**
 * The groups of a topic with their handlers, those whose wildcards stand for it included.
 *
 * @throws MillraceError INVALID_OPTIONS
 */
export function eventGroups(topic: string, handlers: readonly RegisteredHandler[], defaults: EventDefaults): EventGroup[] {
  const groups = new Map<string, RegisteredHandler[]>();
  for (const handler of handlers.filter(({ route }) => isFor(route, topic))) {
    const { group = defaults.group } = handler.extras as { readonly group?: string };
    groups.set(group, [...(groups.get(group) ?? []), handler]);
  }
  return [...groups.values()].map((members) => ({ handlers: members, rules: rulesOf(members, defaults) }));
}

/** The class of the one type of message that a handler is for; null for all messages of the topic. */
export function typeOf({ pattern }: RegisteredHandler): { readonly name: string; readonly payload: PayloadClass } | null {
  const contract = contractIn(pattern);
  if (contract === null) return null;
  const { name, payload } = messageTypeOf(contract);
  return name === null ? null : { name, payload };
}

function isFor(route: string, topic: string): boolean {
  return hasWildcard(route) ? matchesPattern(route, topic) : route === topic;
}

function rulesOf(handlers: readonly RegisteredHandler[], defaults: EventDefaults): SubscriptionRules {
  const merged: Record<string, unknown> = {};
  for (const { route, extras } of handlers) {
    for (const [name, value] of Object.entries(extras)) {
      if (FOREIGN.includes(name)) continue;
      if (REFUSED.includes(name)) throw refused(route, name);
      if (name in merged && !isDeepStrictEqual(merged[name], value)) throw contradiction(route, name);
      merged[name] = value;
    }
  }
  return parsedSubscription({ ...defaults, ...merged }, `@EventPattern(${quote(handlers[0]!.route)})`);
}

function refused(route: string, name: string): MillraceError {
  return new MillraceError('INVALID_OPTIONS', `@EventPattern(${quote(route)}): the option ${name} is for @Subscribe alone.`);
}

function contradiction(route: string, name: string): MillraceError {
  return new MillraceError(
    'INVALID_OPTIONS',
    `@EventPattern(${quote(route)}): another handler of the same topic and group has another ${name}. Give both the same, or one of them a group of its own.`,
  );
}
