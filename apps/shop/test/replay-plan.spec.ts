import { describe, expect, test } from '@jest/globals';
import { planKills } from '../src/demo/kill-plan.js';
import { planReplay, type ReplayOptions, type ReplayPlan } from '../src/demo/replay-plan.js';
import type { Order } from '../src/orders/order.js';
import { SeededRandom } from '../src/random/seeded-random.js';

function orders(count: number): Order[] {
  return Array.from({ length: count }, (_, index) => {
    const invoice = `${index % 10 === 3 ? 'C' : ''}${index}`;
    return { invoice, customerId: null, country: 'EIRE', placedAt: '2024-01-08', lines: [] };
  });
}

function plan(count: number, options: Partial<ReplayOptions> = {}, seed = 7): ReplayPlan {
  return planReplay(orders(count), { duplicates: 0, poison: 0, ...options }, new SeededRandom(seed));
}

function invoices({ batches }: ReplayPlan): string[][] {
  return batches.map((batch) => batch.map(({ order }) => order.invoice));
}

describe('the plan of a replay', () => {
  test('holds each order once, in their order', () => {
    expect(invoices(plan(205)).flat()).toEqual(orders(205).map(({ invoice }) => invoice));
  });

  test.each([1, 2, 39, 40, 41, 200, 2_025])('has batches that are not empty, the last one not the only one (%d orders)', (count) => {
    const sizes = plan(count).batches.map((batch) => batch.length);
    expect(Math.min(...sizes)).toBeGreaterThan(0);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(16);
    expect(sizes.length).toBeGreaterThanOrEqual(Math.min(count, 20));
  });

  test('repeats the share that was asked for, never before the first, some at the same moment', () => {
    const batches = invoices(plan(400, { duplicates: 10 }));
    const where = new Map<string, number[]>();
    batches.forEach((batch, at) => batch.forEach((invoice) => where.set(invoice, [...(where.get(invoice) ?? []), at])));
    const repeated = [...where].filter(([, moments]) => moments.length > 1);
    expect(batches.flat()).toHaveLength(440);
    expect(repeated).toHaveLength(40);
    const places = orders(400).map(({ invoice }) => invoice);
    for (const [invoice, [first]] of repeated) expect(first).toBe(Math.floor(places.indexOf(invoice) / 10));
    const atOnce = repeated.filter(([, [first, second]]) => first === second).length;
    expect(atOnce).toBeGreaterThan(0);
    expect(atOnce).toBeLessThan(40);
  });

  test('may repeat all, and a share that is no whole number of orders', () => {
    expect(invoices(plan(30, { duplicates: 100 })).flat()).toHaveLength(60);
    expect(invoices(plan(30, { duplicates: 5 })).flat()).toHaveLength(32);
    expect(invoices(plan(1, { duplicates: 100 })).flat()).toEqual(['0', '0']);
  });

  test('poisons orders, never cancellations, and their repeats too', () => {
    const { poison, batches } = plan(100, { poison: 5, duplicates: 100 });
    expect(poison.size).toBe(5);
    expect([...poison].some((invoice) => invoice.startsWith('C'))).toBe(false);
    const poisoned = batches.flat().filter((placement) => placement.poison);
    expect(poisoned).toHaveLength(10);
    expect(new Set(poisoned.map(({ order }) => order.invoice))).toEqual(poison);
    expect(plan(100, { poison: 90 }).poison.size).toBe(90);
  });

  test('is the same for the same seed, and another one for another', () => {
    const options = { duplicates: 10, poison: 3 };
    expect(plan(200, options)).toEqual(plan(200, options));
    expect(plan(200, options, 8).poison).not.toEqual(plan(200, options).poison);
    expect(invoices(plan(200, options, 8))).not.toEqual(invoices(plan(200, options)));
  });
});

describe('the plan of kills', () => {
  test.each([0, 1, 2, 5, 50])('has as many moments as asked for (%d), ascending, before the end', (count) => {
    const moments = planKills(count, new SeededRandom(7));
    expect(moments).toHaveLength(count);
    expect(moments).toEqual([...moments].sort((a, b) => a - b));
    expect(moments.every((moment) => moment >= 0 && moment < 0.85)).toBe(true);
  });

  test('depends on the seed alone', () => {
    expect(planKills(5, new SeededRandom(7))).toEqual(planKills(5, new SeededRandom(7)));
    expect(planKills(5, new SeededRandom(7))).not.toEqual(planKills(5, new SeededRandom(8)));
  });
});
