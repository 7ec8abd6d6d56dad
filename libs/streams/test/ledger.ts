import type { DeadLetterRecord } from '@millrace/streams';

export interface Verdict {
  /** Confirmed, and neither handled nor dead-lettered. */
  readonly lost: number;
  /** Handled or dead-lettered, and never published. */
  readonly phantom: number;
  /** Attempts that ran more than once. */
  readonly reruns: number;
  /** Dead letters that should not exist, exist twice, or lack a part of their history. */
  readonly badDeadLetters: number;
}

/** The history of a run, recorded outside Redis: no fault touches it. */
export class Ledger {
  readonly #attempted = new Set<number>();
  readonly #confirmed = new Set<number>();
  readonly #runs = new Map<string, number>();
  readonly #handled = new Set<number>();
  #total = 0;
  #waiters: { readonly at: number; readonly resolve: () => void }[] = [];

  attempted(value: number): void {
    this.#attempted.add(value);
  }

  confirmed(value: number): void {
    this.#confirmed.add(value);
  }

  handled(value: number, attempt: number): void {
    this.#handled.add(value);
    this.#runs.set(`${value}/${attempt}`, (this.#runs.get(`${value}/${attempt}`) ?? 0) + 1);
    this.#total += 1;
    const due = this.#waiters.filter(({ at }) => at <= this.#total);
    this.#waiters = this.#waiters.filter(({ at }) => at > this.#total);
    for (const { resolve } of due) resolve();
  }

  /** Resolves when so many more handlers have begun. */
  progress(count: number): Promise<void> {
    return this.reached(this.#total + count);
  }

  /** Resolves when so many handlers have begun in all. */
  reached(at: number): Promise<void> {
    return at <= this.#total ? Promise.resolve() : new Promise((resolve) => this.#waiters.push({ at, resolve }));
  }

  /** @param isPoison whether a message fails each time */
  verdict(dead: readonly DeadLetterRecord[], isPoison: (value: number) => boolean): Verdict {
    type Stored = [number, string, string, string, null, { value: number }];
    const values = dead.map(({ envelope }) => (JSON.parse(envelope) as Stored)[5].value);
    const ended = new Set([...[...this.#handled].filter((value) => !isPoison(value)), ...values]);
    const complete = dead.filter(({ reason, attempts, error }, index) =>
      isPoison(values[index]!) && reason === 'ATTEMPTS_EXHAUSTED' && attempts === 3 && error.message === 'as planned' && values.indexOf(values[index]!) === index);
    return {
      lost: [...this.#confirmed].filter((value) => !ended.has(value)).length,
      phantom: [...ended].filter((value) => !this.#attempted.has(value)).length,
      reruns: [...this.#runs.values()].reduce((sum, runs) => sum + runs - 1, 0),
      badDeadLetters: dead.length - complete.length,
    };
  }
}
