import type { Spec } from '../contenders/contender.js';

export type Role = 'producer' | 'consumer';

/** A request of the parent to a side; each is answered once. */
export type Ask =
  | { readonly ask: 'open'; readonly role: Role; readonly url: string; readonly spec: Spec }
  /** Publishes so many as fast as it can; answered with a {@link Span} when all are acknowledged. */
  | { readonly ask: 'saturate'; readonly count: number }
  /** Publishes so many, `rate` a second; answered when the last is acknowledged. */
  | { readonly ask: 'pace'; readonly count: number; readonly rate: number }
  /** Publishes so many without waiting for any; answered with how many were refused. */
  | { readonly ask: 'flood'; readonly count: number }
  /** From now on messages are counted anew. */
  | { readonly ask: 'arm'; readonly count: number }
  /** Answered with an {@link Arrival} when as many as armed have come. */
  | { readonly ask: 'arrived' }
  /** Answered at once with what has come since it was armed, as {@link Handled}. */
  | { readonly ask: 'handled' }
  /** Answered with microseconds of CPU so far. */
  | { readonly ask: 'cpu' }
  /** Answered with the highest of the heap since the last call, in bytes. */
  | { readonly ask: 'heap' }
  | { readonly ask: 'close' };

/** Microseconds of the monotonic clock. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** When the first and the last message came, and how long they took from being sent, in microseconds. */
export interface Arrival {
  readonly firstAt: number;
  readonly at: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  readonly max: number;
}

/** Messages that have come, and when the last one did. */
export interface Handled {
  readonly count: number;
  readonly lastAt: number;
}

export interface Request {
  readonly id: number;
  readonly ask: Ask;
}

export interface Reply {
  readonly id: number;
  readonly value?: unknown;
  /** Its text; present when it failed. */
  readonly error?: string;
}

/** The reason why a side ends by itself. */
export interface LastWords {
  readonly lastWords: string;
}
