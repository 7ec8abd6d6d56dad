import { few } from '../orders/few.js';
import { formatThousandths } from '../orders/money.js';
import { isCancellation, type Order } from '../orders/order.js';
import { Totals } from '../totals/totals.js';
import type { Effects } from './effects.js';

/** The calls by which orders were charged, as far as their effects show. Money in thousandths. */
export interface CallsMade {
  readonly charged: bigint;
  /** The revenue of the orders, poison ones included, without the cancellations: no handler has to do with charges. */
  readonly expected: bigint;
  /** Orders and cancellations that could not be placed, in spite of repeated calls. */
  readonly failed: number;
  /** Charges beyond the first of an invoice. */
  readonly duplicates: number;
  /** Everything that is not as it must be. */
  readonly problems: readonly string[];
}

export interface CallsParts {
  readonly orders: Iterable<Order>;
  readonly charged: Effects['charged'];
  /** Invoice -> why it was not placed. */
  readonly failures: ReadonlyMap<string, string>;
}

/** Compares the charges with the orders. */
export function callsMade({ orders, charged, failures }: CallsParts): CallsMade {
  const placed = [...orders].filter((order) => !isCancellation(order));
  const due = new Map(placed.map((order) => [order.invoice, Totals.of([order]).revenue]));
  return {
    charged: sum([...charged.values()].map(({ amount }) => amount)),
    expected: sum(due.values()),
    failed: failures.size,
    duplicates: [...charged.values()].reduce((total, { charges }) => total + charges - 1, 0),
    problems: [...problemsOfFailures(failures), ...problemsOfCharges(charged, due)],
  };
}

function problemsOfFailures(failures: CallsParts['failures']): string[] {
  const [first] = failures.values();
  return first === undefined ? [] : [`${failures.size} invoices could not be placed: ${few([...failures.keys()])}; the first one: ${first}`];
}

function problemsOfCharges(charged: Effects['charged'], due: ReadonlyMap<string, bigint>): string[] {
  const missing = [...due.keys()].filter((invoice) => !charged.has(invoice));
  const twice = [...charged].filter(([, { charges }]) => charges > 1).map(([invoice]) => invoice);
  const unasked = [...charged.keys()].filter((invoice) => !due.has(invoice));
  const wrong = [...charged].filter(([invoice, { charges, amount }]) => charges === 1 && amount !== (due.get(invoice) ?? amount));
  return [
    ...some(missing, 'orders have no charge'),
    ...some(twice, 'orders have more than one charge'),
    ...some(unasked, 'invoices have a charge that must not have one'),
    ...wrong.slice(0, 1).map(([invoice, { amount }]) => `${wrong.length} charges have a wrong amount: ${invoice} has ${formatThousandths(amount)}`),
  ];
}

function some(items: readonly string[], text: string): string[] {
  return items.length === 0 ? [] : [`${items.length} ${text}: ${few(items)}`];
}

function sum(amounts: Iterable<bigint>): bigint {
  return [...amounts].reduce((total, amount) => total + amount, 0n);
}
