import { describe, expect, test } from '@jest/globals';
import type { Charged, Effects } from '../src/demo/effects.js';
import type { Observation } from '../src/demo/observer.js';
import type { OrderKept } from '../src/demo/order-kept.js';
import { NO_KILLS } from '../src/demo/process-kind.js';
import { reportOf } from '../src/demo/report.js';
import { tableOf } from '../src/demo/table.js';
import { judge, type Verdict } from '../src/demo/verdict.js';
import type { Order } from '../src/orders/order.js';

function order(invoice: string, stockCode: string, quantity: number, unitPrice: number): Order {
  return { invoice, customerId: null, country: 'EIRE', placedAt: '2024-01-08', lines: [{ stockCode, quantity, unitPrice }] };
}

function once(amount: bigint): Charged {
  return { charges: 1, amount };
}

const ORDERS = [order('1', 'A', 3, 2_550), order('2', 'B', 1, 125), order('C3', 'A', -1, 2_550), order('4', 'A', 100, 1)];
const POISON = new Set(['4']);
const EFFECTS: Effects = {
  revenue: 5_225n,
  units: 3n,
  moved: new Map([['A', 2n], ['B', 1n]]),
  placed: new Set(['1', '2', 'C3', '4']),
  mails: new Map([['1', [11]], ['2', [12]]]),
  // The poison order is charged before it is published; the cancellation never.
  charged: new Map([['1', once(7_650n)], ['2', once(125n)], ['4', once(100n)]]),
};
const NO_FAILURES: ReadonlyMap<string, string> = new Map();
/** Their ids. */
const KILLED = new Set([11, 13]);

const NONE_SPECIAL = { deduplicated: 0, discarded: 0, expired: 0, filtered: 0, redriven: 0, lost: 0, dropped: 0 };
const NONE_OF_DEAD_LETTERS = { hookFailed: 0, untold: 0, deadLettersDropped: 0 };
const NONE = { ...NONE_SPECIAL, ...NONE_OF_DEAD_LETTERS };
const NOTHING = { ...NONE, redelivered: 0, fenced: 0, lag: 0, lagSeconds: 0, pending: 0, retrying: 0, parked: 0, forwarding: 0 };
const STATE = { ...NOTHING, handled: 3, retried: 4, deadLettered: 1, deadLetters: 1 };
const OBSERVATION: Observation = {
  outbox: { waiting: 0, dead: 0 },
  groups: { inventory: STATE, notifications: { ...STATE, handled: 2 } },
  jobs: { waiting: 0, active: 0, delayed: 0, completed: 1, failed: 0 },
  mails: 2,
};

function verdict(effects: Partial<Effects> = {}, observation: Partial<Observation> = {}): Verdict {
  const found = { effects: { ...EFFECTS, ...effects }, observation: { ...OBSERVATION, ...observation } };
  return judge({ orders: ORDERS, poison: POISON, failures: NO_FAILURES, killed: KILLED, ...found });
}

function orderedVerdict(kept: OrderKept): readonly string[] {
  const found = { effects: EFFECTS, observation: OBSERVATION, failures: NO_FAILURES };
  return judge({ orders: ORDERS, poison: POISON, killed: KILLED, order: kept, ...found }).problems;
}

function inventory(state: Partial<typeof STATE>): Partial<Observation> {
  return { groups: { ...OBSERVATION.groups, inventory: { ...STATE, ...state } } };
}

describe('the verdict', () => {
  test('finds nothing when the effects are those of the orders without the poison ones', () => {
    const { problems, expected, mails } = verdict();
    expect(problems).toEqual([]);
    expect({ revenue: expected.revenue, units: expected.units }).toEqual({ revenue: 5_225n, units: 3n });
    expect(mails).toEqual({ sent: 2, expected: 2, again: 0, problems: [] });
  });

  test('adds the charges up, those of poison orders too, and finds an order that could not be placed', () => {
    expect(verdict().calls).toEqual({ charged: 7_875n, expected: 7_875n, failed: 0, duplicates: 0, problems: [] });
    const charged = new Map([...EFFECTS.charged].slice(1));
    const found = { effects: { ...EFFECTS, charged }, observation: OBSERVATION, failures: new Map([['1', 'no answer within 5000 ms']]) };
    const { calls, problems } = judge({ orders: ORDERS, poison: POISON, killed: KILLED, ...found });
    expect(calls).toMatchObject({ charged: 225n, expected: 7_875n, failed: 1, duplicates: 0 });
    const failed = '1 invoices could not be placed: 1; the first one: no answer within 5000 ms';
    expect(problems).toEqual([failed, '1 orders have no charge: 1']);
  });

  test('counts each charge of an order beyond the first', () => {
    const charged = new Map([...EFFECTS.charged, ['2', { charges: 3, amount: 375n }]] as const);
    expect(verdict({ charged }).calls).toMatchObject({ charged: 8_125n, duplicates: 2 });
  });

  test('finds a customer out of order, and a message that has no place in the order', () => {
    expect(orderedVerdict({ messages: 3, disordered: [] })).toEqual([]);
    expect(orderedVerdict({ messages: 3, disordered: ['c'] })).toEqual(['1 customers had a message handled after a later one: c']);
    expect(orderedVerdict({ messages: 2, disordered: [] })).toEqual(['2 messages have a place in the order, not 3']);
  });

  test('counts a mail that was sent again by another process than the one that was killed, and finds nothing wrong in that', () => {
    const { mails, problems } = verdict({ mails: new Map([['1', [11, 13, 12]], ['2', [12]]]) });
    expect({ mails, problems }).toEqual({ mails: { sent: 4, expected: 2, again: 2, problems: [] }, problems: [] });
  });

  const UNEXPLAINED = '1 orders have more than one mail, though nobody killed the process that had sent it: 1';

  test.each([
    ['a thousandth too much', { revenue: 5_226n }, 'revenue is 5.226, not 5.225'],
    ['a lost unit', { units: 2n }, '2 units were moved, not 3'],
    ['stock of another article', { moved: new Map([['A', 2n], ['C', 1n]]) }, '2 stock codes were not moved by what was ordered: C, B'],
    ['a missing mail', { mails: new Map([['1', [11]]]) }, '1 orders have no mail: 2'],
    ['a second mail by the same process', { mails: new Map([['1', [11, 11]], ['2', [12]]]) }, UNEXPLAINED],
    ['a second mail after one by a process that nobody killed', { mails: new Map([['1', [12, 14]], ['2', [12]]]) }, UNEXPLAINED],
    ['a mail for a poison order', { mails: new Map([['1', [11]], ['2', [12]], ['4', [12]]]) }, '1 invoices have a mail that must not have one: 4'],
    ['a mail for a cancellation', { mails: new Map([['1', [11]], ['2', [12]], ['C3', [12]]]) }, 'must not have one: C3'],
    ['an order that was not placed', { placed: new Set(['1', '2', 'C3']) }, '1 invoices were not placed: 4'],
    ['an order that nobody ordered', { placed: new Set(['1', '2', 'C3', '4', '5']) }, '1 invoices were placed that nobody ordered: 5'],
    ['a missing charge', { charged: new Map([...EFFECTS.charged].slice(0, 2)) }, '1 orders have no charge: 4'],
    ['a second charge', { charged: new Map([...EFFECTS.charged, ['2', { charges: 2, amount: 250n }]] as const) }, 'more than one charge: 2'],
    ['a charge for a cancellation', { charged: new Map([...EFFECTS.charged, ['C3', once(1n)]] as const) }, 'must not have one: C3'],
    ['a charge of another amount', { charged: new Map([...EFFECTS.charged, ['2', once(124n)]] as const) }, 'a wrong amount: 2 has 0.124'],
  ])('finds %s', (_, effects, problem) => {
    expect(verdict(effects).problems).toEqual([expect.stringContaining(problem)]);
  });

  test.each([
    ['a message that waits to be published', { outbox: { waiting: 1, dead: 0 } }, '1 messages wait in the outbox'],
    ['a message that cannot be published', { outbox: { waiting: 0, dead: 1 } }, '1 messages of the outbox could not be published'],
    ['a message that was published twice', inventory({ handled: 4 }), 'group inventory got 5 messages, not 4'],
    ['a message that was not published', inventory({ handled: 2 }), 'group inventory got 3 messages, not 4'],
    ['lag', inventory({ handled: 0, lag: 3, pending: 2, retrying: 1 }), 'inventory has 3 messages to go, 2 of them in hand, 1 waiting for a retry'],
    ['a missing dead letter', inventory({ handled: 4, deadLettered: 0 }), 'inventory has 0 dead letters, not 1'],
    ['a dead letter too many', inventory({ handled: 2, deadLettered: 2 }), 'inventory has 2 dead letters, not 1'],
    ['a group that never was', { groups: { ...OBSERVATION.groups, inventory: null } }, 'inventory never subscribed'],
    ['waiting jobs', { jobs: { ...OBSERVATION.jobs, waiting: 2, active: 1 } }, '3 confirmations are waiting, 1 of them in hand'],
    ['failed jobs', { jobs: { ...OBSERVATION.jobs, failed: 2 } }, '2 confirmations failed'],
  ])('finds %s', (_, observation, problem) => {
    expect(verdict({}, observation).problems).toEqual([expect.stringContaining(problem)]);
  });
});

const BESIDE = { mails: { expected: 2 }, charges: '7.875' };

describe('the report', () => {
  const input = { files: 1, lines: 5, malformed: 1, orders: ORDERS, placed: 3 };
  const figures = { published: 4, duplicates: 2, kills: { ...NO_KILLS, checkout: 1, payments: 2 }, seed: 7, elapsedMs: 1_234 };

  test('has the shape that --json promises', () => {
    const group = { redelivered: 0, deduplicated: 0, retried: 4, deadLettered: 1, lag: 0 };
    expect(reportOf({ input, effects: EFFECTS, observation: OBSERVATION, verdict: verdict(), ...figures })).toEqual({
      ok: true,
      input: { files: 1, lines: 5, malformed: 1, orders: 3, cancellations: 1 },
      revenue: '5.225',
      units: 3,
      expected: { revenue: '5.225', units: 3 },
      published: 4,
      duplicates: 2,
      groups: { inventory: { handled: 3, ...group }, notifications: { handled: 2, ...group } },
      jobs: { emails: { completed: 2, failed: 0 } },
      calls: { charged: '7.875', failed: 0, duplicates: 0 },
      mails: { sent: 2, again: 0 },
      kills: 3,
      killed: { worker: 0, checkout: 1, payments: 2 },
      seed: 7,
      elapsedMs: 1_234,
    });
  });

  test('counts the mails that were sent, not the completed jobs that the queue still keeps', () => {
    const orders = Array.from({ length: 20_365 }, (_, index) => order(`${index}`, 'A', 1, 1));
    const mails = new Map(orders.map(({ invoice }) => [invoice, [11]]));
    const charged = new Map(orders.map(({ invoice }) => [invoice, once(1n)]));
    const effects = { revenue: 20_365n, units: 20_365n, moved: new Map([['A', 20_365n]]), placed: new Set(mails.keys()), mails, charged };
    const observation = { ...OBSERVATION, jobs: { ...OBSERVATION.jobs, completed: 10_000 }, mails: mails.size };
    const state = { ...STATE, handled: 20_365, deadLettered: 0 };
    const groups = { inventory: state, notifications: state };
    const judged = { failures: NO_FAILURES, killed: KILLED, effects, observation: { ...observation, groups } };
    const found = judge({ orders, poison: new Set(), ...judged });
    const report = reportOf({ input: { ...input, orders, placed: orders.length }, verdict: found, ...judged, ...figures });
    expect(report).toMatchObject({ ok: true, jobs: { emails: { completed: 20_365, failed: 0 } } });
    const short = { ...effects, mails: new Map([...mails].slice(1)) };
    expect(judge({ orders, poison: new Set(), ...judged, effects: short }).problems).toEqual(['1 orders have no mail: 0']);
  });

  test('fits 60 columns, with figures as large as those of a year', () => {
    const many = 999_999;
    const figure = { handled: many, redelivered: many, deduplicated: many, retried: many, deadLettered: many, lag: many };
    const counted = { revenue: '-999999999.999', units: 999_999_999, published: many, duplicates: many };
    const report = reportOf({ input, effects: EFFECTS, observation: OBSERVATION, verdict: verdict(), ...figures });
    const groups = { inventory: figure, notifications: figure };
    const calls = { charged: '-999999999.999', failed: many, duplicates: many };
    const beside = { mails: { sent: many, again: many }, killed: { worker: 999, checkout: 999, payments: 999 } };
    const large = { ...report, ...counted, ...beside, groups, calls, seed: 4_294_967_295, elapsedMs: 9_999_999 };
    const lines = tableOf(large, { mails: { expected: many }, charges: '999999999.999' }).split('\n');
    expect(Math.max(...lines.map(({ length }) => length))).toBeLessThanOrEqual(60);
  });

  test('is not ok when the verdict has a problem', () => {
    const effects = { ...EFFECTS, revenue: 5_224n };
    const report = reportOf({ input, effects, observation: OBSERVATION, verdict: verdict(effects), ...figures });
    expect(report).toMatchObject({ ok: false, revenue: '5.224', expected: { revenue: '5.225' } });
    expect(tableOf(report, BESIDE)).toMatch(/^revenue +5\.224 +5\.225 +DIFFERENT$/m);
  });

  test('is a table for people', () => {
    const report = reportOf({ input, effects: EFFECTS, observation: OBSERVATION, verdict: verdict(), ...figures });
    const table = tableOf(report, BESIDE);
    expect(table).toMatch(/^revenue +5\.225 +5\.225 +the same$/m);
    expect(table).toMatch(/^charged +7\.875 +7\.875 +the same$/m);
    expect(table).toMatch(/^group +inventory +notifications$/m);
    expect(table).toMatch(/^handled +3 +2$/m);
    expect(table).toMatch(/^dead letters +1 +1$/m);
    expect(table).toMatch(/^emails +2 +0$/m);
    expect(table).toMatch(/^mails +2 +2 +the same$/m);
    expect(table).toContain('\n0 invoices not placed, 0 orders charged twice\n4 published, 2 more answered as duplicates\n');
    expect(table).toContain('\nkilled: worker 0, checkout 1, payments 2\nseed 7, 1.2 s');
  });

  test('says how many mails were sent again, and counts them once', () => {
    const again = verdict({ mails: new Map([['1', [11, 12]], ['2', [12]]]) });
    const report = reportOf({ input, effects: EFFECTS, observation: OBSERVATION, verdict: again, ...figures });
    expect(report).toMatchObject({ ok: true, mails: { sent: 3, again: 1 } });
    const table = tableOf(report, BESIDE);
    expect(table).toMatch(/^mails +2 +2 +the same$/m);
    expect(table).toContain('\n1 mail sent again\n');
  });
});
