/**
 * A read that was given up may still reach Redis: the kernel sends what a closed connection has left, also when a network comes
 * back after minutes. Its entries belong to a member that does not know them, so the member looks again so long after.
 */
const LOOKS_AFTER_MS = [2_000, 20_000, 300_000];

/** Says when to look for the entries of reads that were given up. */
export class LateReads {
  readonly #due: () => void;
  #timers: NodeJS.Timeout[] = [];
  #isDue = false;

  /** @param due called when it is time to look */
  constructor(due: () => void) {
    this.#due = due;
  }

  /** A read was given up, or may have been. */
  gaveUp(): void {
    this.stop();
    this.#timers = LOOKS_AFTER_MS.map((ms) => setTimeout(() => this.#ring(), ms).unref());
  }

  /** @returns whether it is time to look: once, until it is time again */
  takeDue(): boolean {
    const isDue = this.#isDue;
    this.#isDue = false;
    return isDue;
  }

  stop(): void {
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #ring(): void {
    this.#isDue = true;
    this.#due();
  }
}
