import type { RedisTarget } from '@millrace/redis';

/** Each order by its number: processes and the verdict alike know what becomes of it. */

export type Way = 'outbox' | 'half message';

/** The transaction of an order, and the messages with it. Each placer has orders of both ways. */
export function wayOf(order: number): Way {
  return order % 4 < 2 ? 'outbox' : 'half message';
}

/** Whether its transaction is rolled back: one of ten. */
export function isRolledBack(order: number): boolean {
  return order % 20 === 4 || order % 20 === 7;
}

/** Orders of one key are published in turn. */
export function keyOf(order: number): string {
  return `customer-${order % 100}`;
}

export interface ProcessPlan {
  readonly target: RedisTarget;
  readonly databaseUrl: string;
  readonly leaseMs: number;
  readonly prefix: string;
  /** Orders that are placed, or messages that are handled, at once in each group. */
  readonly concurrency: number;
}

export function urlOf(target: RedisTarget): string {
  if ('url' in target) return target.url;
  throw new Error('Transactions are run on one server.');
}
