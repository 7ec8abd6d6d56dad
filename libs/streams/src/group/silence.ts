/** The result of a look that was answered: the words of each process, null for a process without a record. */
export type Look = ReadonlyMap<string, string | null>;

/** When a look was sent and when it was answered, by the monotonic clock. */
export interface Asked {
  readonly sentAtMs: number;
  readonly answeredAtMs: number;
}

interface Heard {
  readonly words: string | null;
  readonly silentMs: number;
}

/** A process that was silent for this part of a lease is dead: the rest of the lease is for the next look and the put-back. */
const DEAD_AFTER_LEASES = 0.9;
/** One look adds silence of so many beats at the most: a process that looks seldom, or after an outage, knows no more. */
const MOST_BEATS = 2;

/**
 * Counts how long other processes have said nothing new. Silence grows only with looks that were answered, so that nobody
 * dies while Redis is away; no clock is compared with another.
 */
export class Silence {
  readonly #deadAfterMs: number;
  readonly #mostMs: number;
  #heard = new Map<string, Heard>();
  /** When the last look was answered; null before the first. */
  #answeredAtMs: number | null = null;

  constructor({ leaseMs, beatMs }: { readonly leaseMs: number; readonly beatMs: number }) {
    this.#deadAfterMs = leaseMs * DEAD_AFTER_LEASES;
    this.#mostMs = beatMs * MOST_BEATS;
  }

  /**
   * Takes in a look. Processes that are not in it are forgotten. Only the time from the answer to the last look until this one
   * was sent has passed for sure: looks that pile up while Redis is away are all answered at one moment.
   *
   * @returns whether one of them has just died
   */
  looked(look: Look, { sentAtMs, answeredAtMs }: Asked): boolean {
    const passedMs = Math.min(Math.max(0, sentAtMs - (this.#answeredAtMs ?? sentAtMs)), this.#mostMs);
    this.#answeredAtMs = answeredAtMs;
    const before = this.#heard;
    this.#heard = new Map([...look].map(([process, words]) => [process, heardNow(before.get(process), words, passedMs)]));
    return [...this.#heard].some(([process, heard]) => this.#isDeath(heard) && !this.#isDeath(before.get(process)));
  }

  isDead(process: string): boolean {
    return this.#isDeath(this.#heard.get(process));
  }

  /** The last words of the process, null when it was never heard. */
  lastWords(process: string): string | null {
    return this.#heard.get(process)?.words ?? null;
  }

  #isDeath(heard: Heard | undefined): boolean {
    return (heard?.silentMs ?? 0) >= this.#deadAfterMs;
  }
}

/** A record that is gone says nothing new: its last words stay. */
function heardNow(before: Heard | undefined, words: string | null, passedMs: number): Heard {
  if (!before) return { words, silentMs: 0 };
  if (words === null || words === before.words) return { words: before.words, silentMs: before.silentMs + passedMs };
  return { words, silentMs: 0 };
}
