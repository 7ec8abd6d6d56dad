import { few } from '../orders/few.js';
import type { Effects } from './effects.js';

/** The mails of the orders, as far as their effects show. */
export interface MailsSent {
  /** All, those that were sent again among them. */
  readonly sent: number;
  /** Orders that must have one. */
  readonly expected: number;
  /**
   * Sent once more by another process. One that is killed between the mail and the record that it was sent leaves the mail to be
   * sent again: so far, and no further, does `once` go.
   */
  readonly again: number;
  /** Everything that is not as it must be. */
  readonly problems: readonly string[];
}

export interface MailsParts {
  readonly mails: Effects['mails'];
  /** Invoices of the orders that must have a mail. */
  readonly due: ReadonlySet<string>;
  /** The ids of the processes that were killed. */
  readonly killed: ReadonlySet<number>;
}

/** Compares the mails with the orders, and with the processes that were killed. */
export function mailsSent({ mails, due, killed }: MailsParts): MailsSent {
  const sent = [...mails.values()].reduce((total, processes) => total + processes.length, 0);
  const missing = [...due].filter((invoice) => !mails.has(invoice));
  const unasked = [...mails.keys()].filter((invoice) => !due.has(invoice));
  const unexplained = [...mails].filter(([, processes]) => !isExplained(processes, killed));
  const problems = [
    ...some(missing, 'orders have no mail'),
    ...some(unasked, 'invoices have a mail that must not have one'),
    ...some(unexplained.map(([invoice]) => invoice), 'orders have more than one mail, though nobody killed the process that had sent it'),
  ];
  return { sent, expected: due.size, again: sent - mails.size, problems };
}

/** No process sent it twice, and all but one of those that sent it were killed. */
function isExplained(processes: readonly number[], killed: MailsParts['killed']): boolean {
  const isOnceEach = new Set(processes).size === processes.length;
  return isOnceEach && processes.filter((process) => !killed.has(process)).length <= 1;
}

function some(items: readonly string[], what: string): string[] {
  return items.length === 0 ? [] : [`${items.length} ${what}: ${few(items)}`];
}
