/** Limits concurrent work, and can be closed. Unlike a semaphore it lets retries in beyond the limit, and counts them. */
export class Slots {
  readonly #limit: number;
  readonly #running = new Set<Promise<void>>();
  readonly #waiting = new Set<() => void>();
  #isOpen = true;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** How much work is under way. */
  get running(): number {
    return this.#running.size;
  }

  /** Whether work may begin now. */
  get isFree(): boolean {
    return this.#isOpen && this.#running.size < this.#limit;
  }

  /** Resolves when work may begin, or when the signal aborts. Others that waited may have begun theirs by then. */
  async free(signal: AbortSignal): Promise<void> {
    while (!this.isFree && !signal.aborted) await this.#change(signal);
  }

  /** Begins work, also when no slot is free: retries do not wait for one. */
  take(work: () => Promise<void>): void {
    const run = work().finally(() => {
      this.#running.delete(run);
      this.#changed();
    });
    this.#running.add(run);
  }

  close(): void {
    this.#isOpen = false;
  }

  open(): void {
    this.#isOpen = true;
    this.#changed();
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

  #change(signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        this.#waiting.delete(done);
        signal.removeEventListener('abort', done);
        resolve();
      };
      this.#waiting.add(done);
      signal.addEventListener('abort', done);
    });
  }

  #changed(): void {
    for (const done of [...this.#waiting]) done();
  }
}
