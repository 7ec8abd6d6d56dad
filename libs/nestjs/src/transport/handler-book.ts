import { isName, isTopicRef, MillraceError, quote, topicOfRef, type TopicRef } from '@millrace/core';
import type { MessageHandler } from '@nestjs/microservices';
import { COLLAPSED } from './compat.js';
import { hasWildcard, matchesPattern, withoutWildcards } from './wildcard.js';

/** A handler as Nest registers it. */
export interface RegisteredHandler {
  /** Equal for equal patterns. */
  readonly route: string;
  /** As it stands in the decorator. */
  readonly pattern: unknown;
  readonly callback: MessageHandler;
  readonly isEvent: boolean;
  readonly extras: Readonly<Record<string, unknown>>;
}

/** The topic that a pattern names by its class or its definition; null for a plain pattern. */
export function contractIn(pattern: unknown): TopicRef | null {
  return isTopicRef(pattern) ? pattern : null;
}

/** The handlers of a server, each alone: Nest would join those of one pattern, and settle with the first that fails. */
export class HandlerBook {
  readonly #handlers: RegisteredHandler[] = [];

  add(handler: RegisteredHandler): void {
    this.#handlers.push(handler);
  }

  get events(): readonly RegisteredHandler[] {
    return this.#handlers.filter(({ isEvent }) => isEvent);
  }

  get requests(): readonly RegisteredHandler[] {
    return this.#handlers.filter(({ isEvent }) => !isEvent);
  }

  /** The handler of a request: that of its very pattern, else the first whose wildcards stand for it. */
  requestHandler(subject: string): RegisteredHandler | null {
    const { requests } = this;
    return requests.find(({ route }) => route === subject) ?? requests.find(({ route }) => fits(route, subject)) ?? null;
  }

  /** All that cannot be served as it is declared. */
  problems(): MillraceError[] {
    const own = [...this.#handlers.flatMap(problemOfPattern), ...this.requests.flatMap(problemOfExtras)];
    return [...own, ...this.#twice(), ...this.#both(), ...this.#contracts()];
  }

  #twice(): MillraceError[] {
    const routes = this.requests.map(({ route }) => route);
    const repeated = routes.filter((route, index) => routes.indexOf(route) !== index);
    return [...new Set(repeated)].map((route) =>
      conflict(`${where('@MessagePattern', route)} stands on two methods, and only one of them could answer. Give one another pattern.`));
  }

  #both(): MillraceError[] {
    const events = new Set(this.events.map(({ route }) => route));
    const both = new Set(this.requests.map(({ route }) => route).filter((route) => events.has(route)));
    return [...both].map((route) =>
      conflict(`The pattern ${quote(route)} has a @MessagePattern and an @EventPattern, and is either a request or an event. Give one of them another.`));
  }

  #contracts(): MillraceError[] {
    const topics = this.events.flatMap(({ pattern }) => (isTopicRef(pattern) ? [topicOfRef(pattern)] : []));
    const other = topics.filter((topic) => topics.find(({ name }) => name === topic.name) !== topic);
    return [...new Set(other.map(({ name }) => name))].map((name) =>
      conflict(`Two classes or definitions of topic '${name}' are used in @EventPattern. Use one of them everywhere.`));
  }
}

function conflict(message: string): MillraceError {
  return new MillraceError('CONTRACT_CONFLICT', message);
}

function fits(route: string, subject: string): boolean {
  return hasWildcard(route) && matchesPattern(route, subject);
}

function where(decorator: string, route: string): string {
  return `${decorator}(${quote(route)})`;
}

function problemOfPattern({ route, pattern, isEvent }: RegisteredHandler): MillraceError[] {
  const reason = isEvent ? eventProblem(route, pattern) : requestProblem(route);
  const decorator = isEvent ? '@EventPattern' : '@MessagePattern';
  return reason === null ? [] : [new MillraceError('INVALID_NAME', `${where(decorator, route)}: ${reason}`)];
}

/** Nothing would do what they say for a request. */
const OF_EVENTS = ['inbox', 'idempotency'];

function problemOfExtras({ route, extras }: RegisteredHandler): MillraceError[] {
  return OF_EVENTS.filter((name) => extras[name]).map((name) => {
    const what = `${where('@MessagePattern', route)} has ${name}, which handlers of events alone have`;
    return new MillraceError('INVALID_OPTIONS', `${what}. Leave it out: a request is executed once at the most.`);
  });
}

const NAMES =
  '1 to 128 of the characters A-Z a-z 0-9 . _ -, beginning with a letter or a digit; parts between dots may be *, the last one > or #';

function eventProblem(route: unknown, pattern: unknown): string | null {
  if (isTopicRef(pattern)) return null;
  if (typeof pattern === 'function') return "the class is no topic: put @Topic('its.name') on it.";
  if (typeof pattern === 'object') return `no topic can be named after an object. Use ${NAMES}.`;
  const name = typeof route === 'string' && hasWildcard(route) ? withoutWildcards(route) : route;
  return isName(name) ? null : `no topic can be named after it. Use ${NAMES}.`;
}

function requestProblem(route: unknown): string | null {
  if (typeof route !== 'string' || route === '') return 'it is no text, no number and no plain object.';
  const isCollapsed = COLLAPSED.some((word) => route.includes(word));
  return isCollapsed ? 'it has more than 20 keys, or is deeper than 5 levels: others like it would be the same pattern.' : null;
}
