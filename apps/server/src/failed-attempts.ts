/** Attempts that an address may fail in a window. */
const MOST_FAILURES = 20;
const WINDOW_MS = 60_000;
const MOST_ADDRESSES = 10_000;

interface Failures {
  count: number;
  readonly until: number;
}

/** Counts the failed attempts of each address to be let in, for the 10,000 addresses that began to fail last. */
export class FailedAttempts {
  readonly #byAddress = new Map<string, Failures>();

  count(address: string): void {
    const known = this.#current(address);
    if (known) {
      known.count += 1;
      return;
    }
    const [oldest] = this.#byAddress.keys();
    if (this.#byAddress.size >= MOST_ADDRESSES && oldest !== undefined) this.#byAddress.delete(oldest);
    this.#byAddress.set(address, { count: 1, until: Date.now() + WINDOW_MS });
  }

  /** Seconds until it may try again; 0: it may. */
  waitOf(address: string): number {
    const known = this.#current(address);
    return known && known.count >= MOST_FAILURES ? Math.ceil((known.until - Date.now()) / 1_000) : 0;
  }

  #current(address: string): Failures | undefined {
    const known = this.#byAddress.get(address);
    if (!known || known.until > Date.now()) return known;
    this.#byAddress.delete(address);
    return undefined;
  }
}
