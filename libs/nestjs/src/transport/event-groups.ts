import { isDeepStrictEqual } from 'node:util';
import { type MessageFilter, messageTypeOf, MillraceError, quote, type TopicDefinition } from '@millrace/core';
import { parsedSubscription, type SubscriptionRules } from '../explore/declared-handlers.js';
import type { FilterUse } from '../explore/filter-types.js';
import type { SubscribeOptions } from '../subscribe/subscribe-options.js';
import { contractIn, type RegisteredHandler } from './handler-book.js';
import { hasWildcard, matchesPattern } from './wildcard.js';

/** The options of a server that are those of its event handlers, unless their extras say others. */
export type EventDefaults = Pick<SubscribeOptions, 'concurrency' | 'retry' | 'timeout'> & { readonly group: string };

/** The handlers of one group for one topic: an event is done when all of them are. */
export interface EventGroup {
  readonly topic: string;
  readonly group: string;
  readonly handlers: readonly RegisteredHandler[];
}

/** A group as it is to be subscribed. */
export interface GroupPlan {
  readonly rules: SubscriptionRules;
  readonly members: readonly GroupMember[];
}

/** A handler with the messages that it is for. */
export interface GroupMember {
  readonly handler: RegisteredHandler;
  /** The one type of message that it is for; null for all of the topic. */
  readonly type: string | null;
  readonly filter: MessageFilter;
}

/** Extras of Nest's own transports, for applications with several. */
const FOREIGN = ['queue', 'qos'];
/** The extras of one handler alone, whoever shares its group. */
const OWN = ['filter'];
/** They make the effects of one handler happen once. */
const ONCE = ['inbox', 'idempotency'] as const;

/** The groups of a topic with their handlers, those whose wildcards stand for it included. */
export function eventGroups(topic: string, handlers: readonly RegisteredHandler[], defaults: EventDefaults): EventGroup[] {
  const groups = new Map<string, RegisteredHandler[]>();
  for (const handler of handlers.filter(({ route }) => isFor(route, topic))) {
    const { group = defaults.group } = handler.extras as { readonly group?: string };
    groups.set(group, [...(groups.get(group) ?? []), handler]);
  }
  return [...groups].map(([group, members]) => ({ topic, group, handlers: members }));
}

/** @throws MillraceError INVALID_OPTIONS */
export function planOf(group: EventGroup, defaults: EventDefaults): GroupPlan {
  return { rules: rulesOf(group, defaults), members: membersOf(group) };
}

/** The filters of the handlers of a group, for checks of the types that they name. */
export function filterUsesOf(topic: TopicDefinition, { members }: GroupPlan): FilterUse[] {
  return members.map(({ handler, type, filter }) => ({ label: labelOf(handler), topic, type, filter }));
}

/** The options of a group, from the extras of all its handlers. */
function rulesOf({ topic, group, handlers }: EventGroup, defaults: EventDefaults): SubscriptionRules {
  const merged: Record<string, unknown> = {};
  for (const { route, extras } of handlers) {
    for (const [name, value] of Object.entries(extras)) {
      if (value === undefined || FOREIGN.includes(name) || OWN.includes(name)) continue;
      if (name in merged && !isDeepStrictEqual(merged[name], value)) throw contradiction(topic, route, name);
      merged[name] = value;
    }
  }
  const rules = parsedSubscription({ ...defaults, ...merged }, labelOf(handlers[0]!));
  const once = ONCE.find((name) => rules[name]);
  if (once === undefined || handlers.length === 1) return rules;
  throw notAlone(handlers.find(({ extras }) => extras[once])!, once, { topic, group });
}

function membersOf({ group, handlers }: EventGroup): GroupMember[] {
  return handlers.map((handler) => {
    const filter = handler.extras.filter as SubscribeOptions['filter'];
    return { handler, type: typeOf(handler), filter: parsedSubscription({ group, filter }, labelOf(handler)).filter };
  });
}

/** Names a handler in errors. */
export function labelOf({ route }: RegisteredHandler): string {
  return `@EventPattern(${quote(route)})`;
}

function typeOf({ pattern }: RegisteredHandler): string | null {
  const contract = contractIn(pattern);
  return contract === null ? null : messageTypeOf(contract).name;
}

function isFor(route: string, topic: string): boolean {
  return hasWildcard(route) ? matchesPattern(route, topic) : route === topic;
}

function contradiction(topic: string, route: string, name: string): MillraceError {
  const what = `another handler of the same topic, '${topic}', and group has another ${name}`;
  return refusal(`@EventPattern(${quote(route)}): ${what}. Give both the same, or one of them a group of its own.`);
}

function notAlone(handler: RegisteredHandler, name: string, { topic, group }: Pick<EventGroup, 'topic' | 'group'>): MillraceError {
  const what = `${labelOf(handler)} has ${name}, and shares the group '${group}' of topic '${topic}' with other handlers`;
  const why = 'when one of them fails all are called again, so nobody could say which effects happened';
  return refusal(`${what}: ${why}. Give it a group of its own: { group: '...', ${name}: ... }.`);
}

function refusal(message: string): MillraceError {
  return new MillraceError('INVALID_OPTIONS', message);
}
