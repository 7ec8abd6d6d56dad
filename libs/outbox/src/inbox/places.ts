import { MillraceError } from '@millrace/core';

/** Lets so many in at once; the others wait in the order in which they came, but not for ever. */
export class Places {
  readonly #count: number;
  readonly #waitMs: number;
  readonly #waiting = new Set<() => void>();
  #free: number;

  constructor(count: number, waitMs: number) {
    this.#count = count;
    this.#waitMs = waitMs;
    this.#free = count;
  }

  /** @throws MillraceError BACK_PRESSURE when no place became free in time: `work` was not begun */
  async within<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free -= 1;
    else await this.#turn();
    try {
      return await work();
    } finally {
      this.#leave();
    }
  }

  #turn(): Promise<void> {
    return new Promise((resolve, reject) => {
      const begin = (): void => {
        clearTimeout(timer);
        resolve();
      };
      const timer = setTimeout(() => {
        this.#waiting.delete(begin);
        reject(this.#noPlace());
      }, this.#waitMs);
      // A process that stops does not stay for those who wait.
      timer.unref();
      this.#waiting.add(begin);
    });
  }

  #leave(): void {
    const [next] = this.#waiting;
    if (!next) this.#free += 1;
    else {
      this.#waiting.delete(next);
      next();
    }
  }

  #noPlace(): MillraceError {
    const what = `The ${this.#count} handlers that may hold a database connection at once have not ended for ${this.#waitMs} ms`;
    return new MillraceError('BACK_PRESSURE', `${what}, so this one was not begun: give them a timeout, or handle fewer messages at once.`, {
      retryable: true,
    });
  }
}
