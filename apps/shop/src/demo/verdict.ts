import { formatThousandths } from '../orders/money.js';
import { few } from '../orders/few.js';
import { isCancellation, type Order } from '../orders/order.js';
import { Totals } from '../totals/totals.js';
import { type CallsMade, callsMade } from './calls-made.js';
import type { Effects } from './effects.js';
import type { Observation } from './observer.js';
import type { OrderKept } from './order-kept.js';

export interface VerdictParts {
  readonly orders: Iterable<Order>;
  /** Invoices of the orders that no handler could handle. */
  readonly poison: ReadonlySet<string>;
  readonly effects: Effects;
  readonly observation: Observation;
  /** Invoice -> why it could not be charged. */
  readonly failures: ReadonlyMap<string, string>;
  /** Present in a run with an order. */
  readonly order?: OrderKept | undefined;
}

export interface Verdict {
  /** The totals of the orders without the poison ones. */
  readonly expected: Totals;
  /** Orders that must have a mail. */
  readonly mails: number;
  readonly calls: CallsMade;
  /** Everything that is not as it must be; none when all is well. */
  readonly problems: readonly string[];
}

/** Compares the effects of the handlers and of the payments with the orders. */
export function judge({ orders, poison, effects, observation, failures, order }: VerdictParts): Verdict {
  const all = [...orders];
  const good = all.filter((order) => !poison.has(order.invoice));
  const expected = Totals.of(good);
  const confirmed = new Set(good.filter((order) => !isCancellation(order)).map((order) => order.invoice));
  const calls = callsMade({ orders: all, charged: effects.charged, failures });
  const problems = [
    ...calls.problems,
    ...problemsOfTotals(effects, expected),
    ...problemsOfStock(effects.moved, expected.moved),
    ...problemsOfMails(effects.mails, confirmed),
    ...problemsOfGroups(observation, poison.size),
    ...(order ? problemsOfOrder(order, good.length) : []),
  ];
  return { expected, mails: confirmed.size, calls, problems };
}

function problemsOfTotals(effects: Effects, expected: Totals): string[] {
  const problems: string[] = [];
  if (effects.revenue !== expected.revenue) {
    problems.push(`revenue is ${formatThousandths(effects.revenue)}, not ${formatThousandths(expected.revenue)}`);
  }
  if (effects.units !== expected.units) problems.push(`${effects.units} units were moved, not ${expected.units}`);
  return problems;
}

function problemsOfStock(moved: Effects['moved'], expected: Totals['moved']): string[] {
  const codes = new Set([...moved.keys(), ...expected.keys()]);
  const wrong = [...codes].filter((code) => moved.get(code) !== expected.get(code));
  return some(wrong, 'stock codes were not moved by what was ordered');
}

function problemsOfMails(mails: Effects['mails'], confirmed: ReadonlySet<string>): string[] {
  const missing = [...confirmed].filter((invoice) => !mails.has(invoice));
  const twice = [...mails].filter(([, count]) => count > 1).map(([invoice]) => invoice);
  const unasked = [...mails.keys()].filter((invoice) => !confirmed.has(invoice));
  return [
    ...some(missing, 'orders have no mail'),
    ...some(twice, 'orders have more than one mail'),
    ...some(unasked, 'invoices have a mail that must not have one'),
  ];
}

function problemsOfGroups({ groups, jobs }: Observation, poison: number): string[] {
  const problems = Object.entries(groups).flatMap(([group, state]) => {
    if (!state) return [`group ${group} never subscribed`];
    const { lag, pending, retrying, deadLettered } = state;
    return [
      ...(lag === 0 ? [] : [`group ${group} has ${lag} messages to go, ${pending} of them in hand, ${retrying} waiting for a retry`]),
      ...(deadLettered === poison ? [] : [`group ${group} has ${deadLettered} dead letters, not ${poison}`]),
    ];
  });
  const waiting = jobs.waiting + jobs.active + jobs.delayed;
  if (waiting > 0) problems.push(`${waiting} confirmations are waiting, ${jobs.active} of them in hand`);
  if (jobs.failed > 0) problems.push(`${jobs.failed} confirmations failed`);
  return problems;
}

function problemsOfOrder({ messages, disordered }: OrderKept, handled: number): string[] {
  return [
    ...(messages === handled ? [] : [`${messages} messages have a place in the order, not ${handled}`]),
    ...some(disordered, 'customers had a message handled after a later one'),
  ];
}

function some(items: readonly string[], what: string): string[] {
  if (items.length === 0) return [];
  return [`${items.length} ${what}: ${few(items)}`];
}
