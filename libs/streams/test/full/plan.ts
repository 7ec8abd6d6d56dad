/** The behaviour of each message in the long suites: known to workers, publishers and the verifier alike. */

export const ATTEMPTS = 3;

/** 1 % fails each time. */
export function isPoison(value: number): boolean {
  return value % 100 === 7;
}

/** 10 % fails once, the poison besides. */
export function fails(value: number, attempt: number): boolean {
  return isPoison(value) || (value % 10 === 3 && attempt === 1);
}

/** Average attempts of a message: once, 10 % twice, 1 % three times. Crashes come on top. */
export const RUNS_A_MESSAGE = 1.12;

export interface WorkerPlan {
  readonly url: string;
  readonly prefix: string;
  readonly group: string;
  readonly leaseMs: number;
  readonly concurrency: number;
  /** The longest that a handler takes. */
  readonly slowestMs: number;
}

/** mulberry32: the same seed, the same choices, from 0 to below 1. */
export function randomOf(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export const seedOf = (): number => Number(process.env['MILLRACE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

/** The publisher of every other run packs a few messages into each entry, whatever the load. */
export function packingOf(seed: number): { messagesPerEntry?: number } {
  return seed % 2 === 0 ? {} : { messagesPerEntry: 5 };
}
