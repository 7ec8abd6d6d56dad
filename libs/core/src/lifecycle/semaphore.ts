/** How long to wait at the most, and the error when that was not enough. */
export interface WaitLimit {
  readonly waitMs: number;
  readonly tooLate: () => Error;
}

/** Lets `count` callers in at once; the others wait in the order in which they came. */
export class Semaphore {
  readonly #waiting = new Set<() => void>();
  #free: number;

  constructor(count: number) {
    this.#free = count;
  }

  /**
   * Resolves when the caller is let in: it must {@link release} then.
   *
   * @param limit default: waits without a limit
   * @throws the error of the limit
   */
  async acquire(limit?: WaitLimit): Promise<void> {
    if (this.#free > 0) this.#free -= 1;
    else await this.#turn(limit);
  }

  /** Lets the first of the waiting callers in. */
  release(): void {
    const [next] = this.#waiting;
    if (!next) this.#free += 1;
    else {
      this.#waiting.delete(next);
      next();
    }
  }

  #turn(limit: WaitLimit | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const giveUp = (late: WaitLimit): void => {
        this.#waiting.delete(begin);
        reject(late.tooLate());
      };
      const timer = limit ? setTimeout(giveUp, limit.waitMs, limit) : undefined;
      // A waiting caller does not keep a process that stops from its end.
      timer?.unref();
      const begin = (): void => {
        clearTimeout(timer);
        resolve();
      };
      this.#waiting.add(begin);
    });
  }
}
