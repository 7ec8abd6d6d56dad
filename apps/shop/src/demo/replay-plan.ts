import { isCancellation, type Order } from '../orders/order.js';
import type { SeededRandom } from '../random/seeded-random.js';

/** One publish of the replay. */
export interface Placement {
  readonly order: Order;
  readonly poison: boolean;
}

/** Placements that are published at the same time. */
export type Batch = readonly Placement[];

export interface ReplayPlan {
  readonly batches: readonly Batch[];
  /** Invoices of the orders that no handler can handle. */
  readonly poison: ReadonlySet<string>;
}

const LARGEST_BATCH = 16;
/** At least so many batches, where there are as many orders, so that a short replay has a beginning, a middle and an end too. */
const BATCHES = 40;
/** Repeats that are published at the same moment as the first. */
const CONCURRENT = 0.3;

export interface ReplayOptions {
  /** Share of the orders that is published again, in percent. */
  readonly duplicates: number;
  readonly poison: number;
}

/** Plans the publishes: orders as they come, repeats at the same moment as the first or any time later. */
export function planReplay(orders: readonly Order[], options: ReplayOptions, random: SeededRandom): ReplayPlan {
  const placed = orders.filter((order) => !isCancellation(order));
  const poison = new Set(random.stream('poison').sample(placed, options.poison).map((order) => order.invoice));
  const size = Math.min(LARGEST_BATCH, Math.ceil(orders.length / BATCHES));
  const batches: Placement[][] = Array.from({ length: Math.ceil(orders.length / size) }, () => []);
  const put = (index: number, order: Order): void => void batches[index]?.push({ order, poison: poison.has(order.invoice) });
  for (const [index, order] of orders.entries()) put(Math.floor(index / size), order);
  for (const index of repeated(orders.length, options.duplicates, random.stream('duplicates'))) {
    const order = orders[index];
    if (order) put(later(Math.floor(index / size), batches.length - 1, random), order);
  }
  return { batches, poison };
}

function repeated(orders: number, percent: number, random: SeededRandom): number[] {
  return random.sample([...Array(orders).keys()], Math.round((orders * percent) / 100));
}

function later(first: number, last: number, random: SeededRandom): number {
  return first === last || random.chance(CONCURRENT) ? first : random.integer(first + 1, last);
}
