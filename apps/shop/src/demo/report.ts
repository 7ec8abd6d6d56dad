import { formatThousandths } from '../orders/money.js';
import type { Effects } from './effects.js';
import type { Input } from './input.js';
import { type Observation, QUEUE } from './observer.js';
import type { KillCounts } from './process-kind.js';
import type { OrderKept } from './order-kept.js';
import type { Verdict } from './verdict.js';

export interface ReportParts {
  readonly input: Input;
  readonly effects: Effects;
  readonly observation: Observation;
  readonly verdict: Verdict;
  /** Present in a run with an order. */
  readonly order?: OrderKept | undefined;
  readonly published: number;
  readonly duplicates: number;
  readonly kills: KillCounts;
  readonly seed: number;
  readonly elapsedMs: number;
}

/** Figures of one group: messages. */
export interface GroupFigures {
  readonly handled: number;
  readonly redelivered: number;
  readonly deduplicated: number;
  readonly retried: number;
  readonly deadLettered: number;
  /** Null when the group never subscribed: then it is not known. */
  readonly lag: number | null;
}

/** The output of `--json`. */
export interface Report {
  readonly ok: boolean;
  /** `lines` counts the malformed ones too; `orders` does not count cancellations. */
  readonly input: { files: number; lines: number; malformed: number; orders: number; cancellations: number };
  /** Exact, three decimals. */
  readonly revenue: string;
  readonly units: number;
  readonly expected: { revenue: string; units: number };
  readonly published: number;
  readonly duplicates: number;
  readonly groups: Readonly<Record<string, GroupFigures>>;
  /** `completed` counts the orders that have a mail, by the database: the queue keeps its latest completed jobs alone. */
  readonly jobs: Readonly<Record<string, { completed: number; failed: number }>>;
  /**
   * Invoices were placed by calls, and orders charged by calls: the sum of the charges, exact, three decimals; invoices that
   * could not be placed; charges beyond the first of an order. Cancellations are not charged.
   */
  readonly calls: { charged: string; failed: number; duplicates: number };
  /** With `--ordered` alone: messages whose order was looked at, and customers who had one handled after a later one. */
  readonly order?: { messages: number; disordered: number };
  /** Mails that were sent, and those of them that were sent again, since their process was killed before it had recorded them. */
  readonly mails: { sent: number; again: number };
  readonly kills: number;
  /** The kills by the kind of the process. */
  readonly killed: KillCounts;
  readonly seed: number;
  readonly elapsedMs: number;
}

export function reportOf(parts: ReportParts): Report {
  const { input, effects, verdict, observation, order, published, duplicates, kills, seed, elapsedMs } = parts;
  const { files, lines, malformed, orders, placed } = input;
  const { calls } = verdict;
  return {
    ok: verdict.problems.length === 0,
    input: { files, lines, malformed, orders: placed, cancellations: orders.length - placed },
    revenue: formatThousandths(effects.revenue),
    units: Number(effects.units),
    expected: { revenue: formatThousandths(verdict.expected.revenue), units: Number(verdict.expected.units) },
    published,
    duplicates,
    groups: Object.fromEntries(Object.entries(observation.groups).map(([group, state]) => [group, figuresOf(state)])),
    jobs: { [QUEUE]: { completed: effects.mails.size, failed: observation.jobs.failed } },
    calls: { charged: formatThousandths(calls.charged), failed: calls.failed, duplicates: calls.duplicates },
    ...(order && { order: { messages: order.messages, disordered: order.disordered.length } }),
    mails: { sent: verdict.mails.sent, again: verdict.mails.again },
    kills: Object.values(kills).reduce((total, count) => total + count, 0),
    killed: kills,
    seed,
    elapsedMs,
  };
}

function figuresOf(state: Observation['groups'][string]): GroupFigures {
  if (!state) return { handled: 0, redelivered: 0, deduplicated: 0, retried: 0, deadLettered: 0, lag: null };
  const { handled, redelivered, deduplicated, retried, deadLettered, lag } = state;
  return { handled, redelivered, deduplicated, retried, deadLettered, lag };
}
