import { formatThousandths } from '../orders/money.js';
import { few } from '../orders/few.js';
import { isCancellation, type Order } from '../orders/order.js';
import { Totals } from '../totals/totals.js';
import { type CallsMade, callsMade } from './calls-made.js';
import type { Effects } from './effects.js';
import { type MailsSent, mailsSent } from './mails-sent.js';
import type { Observation } from './observer.js';
import type { OrderKept } from './order-kept.js';

export interface VerdictParts {
  readonly orders: Iterable<Order>;
  /** Invoices of the orders that no handler could handle. */
  readonly poison: ReadonlySet<string>;
  readonly effects: Effects;
  readonly observation: Observation;
  /** Invoice -> why it could not be placed. */
  readonly failures: ReadonlyMap<string, string>;
  /** The ids of the processes that were killed. */
  readonly killed: ReadonlySet<number>;
  /** Present in a run with an order. */
  readonly order?: OrderKept | undefined;
}

export interface Verdict {
  /** The totals of the orders without the poison ones. */
  readonly expected: Totals;
  readonly mails: MailsSent;
  readonly calls: CallsMade;
  /** Everything that is not as it must be; none when all is well. */
  readonly problems: readonly string[];
}

/** Compares the effects of the checkout, the handlers and the payments with the orders. */
export function judge({ orders, poison, effects, observation, failures, killed, order }: VerdictParts): Verdict {
  const all = [...orders];
  const good = all.filter((order) => !poison.has(order.invoice));
  const expected = Totals.of(good);
  const invoices = new Set(all.map(({ invoice }) => invoice));
  const due = new Set(good.filter((order) => !isCancellation(order)).map(({ invoice }) => invoice));
  const calls = callsMade({ orders: all, charged: effects.charged, failures });
  const mails = mailsSent({ mails: effects.mails, due, killed });
  const problems = [
    ...calls.problems,
    ...problemsOfTotals(effects, expected),
    ...problemsOfStock(effects.moved, expected.moved),
    ...mails.problems,
    ...problemsOfPlacing(effects.placed, invoices),
    ...problemsOfOutbox(observation),
    ...problemsOfGroups(observation, { inventory: all.length, notifications: due.size + poison.size, poison: poison.size }),
    ...(order ? problemsOfOrder(order, good.length) : []),
  ];
  return { expected, mails, calls, problems };
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

function problemsOfPlacing(placed: Effects['placed'], invoices: ReadonlySet<string>): string[] {
  return [
    ...some([...invoices].filter((invoice) => !placed.has(invoice)), 'invoices were not placed'),
    ...some([...placed].filter((invoice) => !invoices.has(invoice)), 'invoices were placed that nobody ordered'),
  ];
}

function problemsOfOutbox({ outbox }: Observation): string[] {
  return [
    ...(outbox.waiting === 0 ? [] : [`${outbox.waiting} messages wait in the outbox`]),
    ...(outbox.dead === 0 ? [] : [`${outbox.dead} messages of the outbox could not be published`]),
  ];
}

/** The messages that each group must have got, and those of them that nobody could handle. */
interface GroupsDue extends Readonly<Record<string, number>> {
  readonly poison: number;
}

function problemsOfGroups({ groups, jobs }: Observation, due: GroupsDue): string[] {
  const problems = Object.entries(groups).flatMap(([group, state]) => {
    if (!state) return [`group ${group} never subscribed`];
    const { lag, pending, retrying, handled, deadLettered } = state;
    const [messages, { poison }] = [handled + deadLettered + lag, due];
    return [
      ...(messages === due[group] ? [] : [`group ${group} got ${messages} messages, not ${due[group]}`]),
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
