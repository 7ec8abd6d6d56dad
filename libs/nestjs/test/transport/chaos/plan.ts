import type { RedisTarget } from '@millrace/redis';
import { seededRandom } from '@millrace/testing';

/** Each event and each request by its number: clients, servers and the verdict alike know what it is. */

export const SERVICE = 'shop';
export const AUDIT = 'audit';
/** Attempts of an event in the group of the service; the last is given up. */
export const ATTEMPTS = 3;

export type EventSubject = 'chaos.placed' | 'chaos.stock.in' | 'chaos.stock.out' | 'chaos.checked';
export type RequestSubject = 'sum' | 'pay' | 'each' | 'refuse' | 'slow' | 'silent';
export type Subject = EventSubject | RequestSubject;

const SUBJECTS: readonly Subject[] = [
  ...Array.from({ length: 9 }, () => 'chaos.placed' as const), 'chaos.stock.in', 'chaos.stock.out', 'chaos.checked',
  'sum', 'sum', 'sum', 'pay', 'each', 'refuse', 'slow', 'silent',
];

/** 60 % are events, 40 % requests. */
export function subjectOf(number: number): Subject {
  return SUBJECTS[number % SUBJECTS.length]!;
}

/** The handlers that are to be done with an event, in each group of its topic. */
export const HANDLERS: Readonly<Record<EventSubject, Readonly<Record<string, readonly string[]>>>> = {
  'chaos.placed': { [SERVICE]: ['orders', 'stock'], [AUDIT]: ['books'] },
  'chaos.stock.in': { [SERVICE]: ['movements'] },
  'chaos.stock.out': { [SERVICE]: ['movements'] },
  'chaos.checked': { [SERVICE]: ['checks'] },
};

export const EVENTS = Object.keys(HANDLERS) as EventSubject[];

export function isEvent(subject: Subject): subject is EventSubject {
  return subject in HANDLERS;
}

/** One of 100 fails always, one by an error that gives it up at once. Both are events. */
export function isPoison(number: number): boolean {
  return number % 100 === 7 || givesUp(number);
}

export function givesUp(number: number): boolean {
  return number % 100 === 29;
}

/** Whether the handler of the service's group throws at this attempt: one of 20 fails once. */
export function fails(number: number, attempt: number): boolean {
  return isPoison(number) || (number % 20 === 3 && attempt === 1);
}

/** The values of the answer, before it ends; none where it ends with an error. */
export function answersTo(number: number): readonly object[] {
  const subject = subjectOf(number);
  if (subject === 'refuse' || subject === 'silent') return [];
  return subject === 'each' ? [0, 1, 2].map((index) => ({ about: number, index })) : [{ about: number }];
}

const LONG_MS = 10_000;

/** A quarter has a short deadline, of 50 to 600 ms; a request that is never answered has 300 ms. */
export function timeoutMsOf(number: number): number {
  if (subjectOf(number) === 'silent') return 300;
  const random = seededRandom(number);
  return random() < 0.25 ? 50 + Math.floor(random() * 550) : LONG_MS;
}

/** Whether the caller takes one value of several, and then leaves. */
export function isCutShort(number: number): boolean {
  return number % 40 === 16;
}

/** How long the handler works, in milliseconds. */
export function workMsOf(number: number): number {
  const random = seededRandom(number + 1_000_000_007);
  return subjectOf(number) === 'slow' ? 200 + random() * 400 : random() * 8;
}

export interface ProcessPlan {
  readonly target: RedisTarget;
  /** In its crew, from 0. */
  readonly place: number;
  readonly prefix: string;
  readonly leaseMs: number;
  /** Events and requests that are pending at once in a client; events of a topic and group, and requests, at once in a server. */
  readonly concurrency: number;
}
