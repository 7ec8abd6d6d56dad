import type { Terminal } from './terminal.js';

const COLLECT_MS = 1_000;

/** Collects the messages and jobs that workers took over from vanished ones, and reports them by the second. */
export class Recoveries {
  readonly #terminal: Terminal;
  readonly #counts = new Map<string, Map<string, number>>();
  #timer: NodeJS.Timeout | undefined;

  constructor(terminal: Terminal) {
    this.#terminal = terminal;
  }

  add(worker: string, from: string, count: number): void {
    const counts = this.#counts.get(worker) ?? new Map<string, number>();
    counts.set(from, (counts.get(from) ?? 0) + count);
    this.#counts.set(worker, counts);
    this.#timer ??= setTimeout(() => this.tell(), COLLECT_MS);
  }

  /** Reports the ones that were collected since the last time, if there are any. */
  tell(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
    for (const [worker, counts] of this.#counts) {
      const what = [...counts].map(([from, count]) => `${count} of ${from}`).join(', ');
      this.#terminal.say(`${worker} took over from a vanished worker: ${what}`);
    }
    this.#counts.clear();
  }
}
