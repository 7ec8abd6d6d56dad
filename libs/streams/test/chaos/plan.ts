import { type Durability, replicated } from '@millrace/core';
import type { RedisTarget } from '@millrace/redis';
import { CHAOS_REPLICAS, seededRandom, type TopologyName } from '@millrace/testing';

/** The behaviour of each message in the long suites: known to workers, publishers and the verifier alike. */

/** `ordered`: one handler at a time for each key, in the order of offsets. `shared`: no order. */
export type Mode = 'ordered' | 'shared';

export const MODES: readonly Mode[] = ['ordered', 'shared'];

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

const KEYS = 100;

/** One of 100 keys: the busiest has 10 % of the messages, half of the keys share 29 %. */
export function keyOf(value: number): string {
  return `key-${Math.floor(KEYS * seededRandom(value)() ** 2)}`;
}

export interface WorkerPlan {
  readonly mode: Mode;
  readonly topology: TopologyName;
  readonly target: RedisTarget;
  readonly prefix: string;
  readonly group: string;
  readonly leaseMs: number;
  readonly concurrency: number;
  /** The longest that a handler takes. */
  readonly slowestMs: number;
}

/**
 * The durability of messages and of outcomes. One server loses nothing by a crash. In a Cluster the replica is promoted that is
 * most in step. A Sentinel promotes one while the old primary still takes writes, which the other replica confirms: only all
 * replicas together cannot confirm what is lost then.
 */
export function durabilityOf(topology: TopologyName): Durability {
  if (topology === 'standalone') return 'server';
  return replicated(topology === 'cluster' ? 1 : CHAOS_REPLICAS, '1s');
}

/** The publishers of every other run pack a few messages into each entry, whatever the load. */
export function packingOf(seed: number): { messagesPerEntry?: number } {
  return seed % 2 === 0 ? {} : { messagesPerEntry: 5 };
}
