/** Timers end at 2^31 ms: a longer one would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** A handler that fails for everything must not fill the memory. */
const MOST = 1_000;

/** Items that wait in this process to be tried again; the oldest is dropped when there are too many. */
export class DelayedRetries<Item> {
  readonly #again: (item: Item) => void;
  readonly #timers = new Map<Item, NodeJS.Timeout>();

  constructor(again: (item: Item) => void) {
    this.#again = again;
  }

  add(item: Item, delayMs: number): void {
    if (this.#timers.size >= MOST) this.#forget(this.#timers.keys().next().value!);
    const timer = setTimeout(() => {
      this.#timers.delete(item);
      this.#again(item);
    }, Math.min(delayMs, LONGEST_TIMER_MS));
    this.#timers.set(item, timer);
  }

  clear(): void {
    for (const item of [...this.#timers.keys()]) this.#forget(item);
  }

  #forget(item: Item): void {
    clearTimeout(this.#timers.get(item));
    this.#timers.delete(item);
  }
}
