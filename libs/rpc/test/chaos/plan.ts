import type { RedisTarget } from '@millrace/redis';
import { seededRandom } from '@millrace/testing';

/** Each call by its number: callers, servers and the verdict alike know what it is. */

export type Method = 'pay' | 'slow' | 'fail' | 'book' | 'note' | 'tell';

export const LONG_MS = 20_000;

const METHODS: readonly Method[] = [
  'slow', 'slow', 'fail', 'note', 'note', 'tell', 'book', 'book', 'book', 'book', 'book', 'book',
  'pay', 'pay', 'pay', 'pay', 'pay', 'pay', 'pay', 'pay',
];

/** 10 % are slow, 5 % fail, 15 % are one-way, 30 % are not idempotent. */
export function methodOf(call: number): Method {
  return METHODS[call % METHODS.length]!;
}

export function isIdempotent(method: Method): boolean {
  return method !== 'book' && method !== 'tell';
}

export function isOneWay(method: Method): boolean {
  return method === 'note' || method === 'tell';
}

/** A quarter has a short deadline, of 50 to 600 ms. */
export function timeoutMsOf(call: number): number {
  const random = seededRandom(call);
  return random() < 0.25 ? 50 + Math.floor(random() * 550) : LONG_MS;
}

/** When its caller gives it up by its signal, or null: one of 17 calls. */
export function cancelAfterMs(call: number): number | null {
  return call % 17 === 3 ? 5 + (call % 200) : null;
}

/** Two payments in ten are about the same thing as their neighbour, and name it themselves; so do two others. */
export function requestIdOf(call: number): string | undefined {
  const place = call % METHODS.length;
  if (place === 12 || place === 14 || place === 15) return `order-${call}`;
  return place === 13 ? `order-${call - 1}` : undefined;
}

/** The thing that a call is about. */
export function aboutOf(call: number): string {
  return requestIdOf(call) ?? `call-${call}`;
}

/** How long its method takes, in milliseconds. */
export function workMsOf(call: number): number {
  const random = seededRandom(call + 1_000_000_007);
  return methodOf(call) === 'slow' ? 200 + random() * 600 : random() * 8;
}

export interface ProcessPlan {
  readonly target: RedisTarget;
  readonly prefix: string;
  readonly leaseMs: number;
  /** Calls that are pending at once in a process that calls; executions at once in one that serves. */
  readonly concurrency: number;
}
