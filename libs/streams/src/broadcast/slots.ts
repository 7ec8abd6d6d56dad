/** Limits concurrent work, and can be closed. Unlike a semaphore it lets retries in beyond the limit, and counts them. */
export class Slots {
  readonly #limit: number;
  readonly #running = new Set<Promise<void>>();
  #isOpen = true;
  #wake: (() => void) | null = null;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** Resolves when work may begin, or when the signal aborts. */
  async free(signal: AbortSignal): Promise<void> {
    const wake = (): void => this.#wake?.();
    signal.addEventListener('abort', wake);
    while (!signal.aborted && (!this.#isOpen || this.#running.size >= this.#limit)) {
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
    signal.removeEventListener('abort', wake);
  }

  /** Begins work, also when no slot is free: retries do not wait for one. */
  take(work: () => Promise<void>): void {
    const run = work().finally(() => {
      this.#running.delete(run);
      this.#wake?.();
    });
    this.#running.add(run);
  }

  close(): void {
    this.#isOpen = false;
  }

  open(): void {
    this.#isOpen = true;
    this.#wake?.();
  }

  /** @returns whether all work ended in time */
  async idle(withinMs = Number.POSITIVE_INFINITY): Promise<boolean> {
    if (this.#running.size === 0) return true;
    const ended = Promise.all(this.#running).then(() => true);
    if (withinMs === Number.POSITIVE_INFINITY) return ended;
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<boolean>((resolve) => {
      timer = setTimeout(() => resolve(false), withinMs);
    });
    return Promise.race([ended, late]).finally(() => clearTimeout(timer));
  }
}
