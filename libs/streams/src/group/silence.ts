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

/** Most dead processes that are remembered when nobody looks at them any more. */
const MOST_DEAD = 1_024;

/**
 * Counts how long other processes have said nothing new. Silence grows only with looks that were answered, so that nobody
 * dies while Redis is away; no clock is compared with another.
 */
export class Silence {
  readonly #deadAfterMs: number;
  readonly #mostMs: number;
  readonly #beatMs: number;
  #heard = new Map<string, Heard>();
  /** The last words of processes that died, and are not looked at any more; the earliest first. */
  readonly #dead = new Map<string, string | null>();
  /** When the last look was answered; null before the first. */
  #answeredAtMs: number | null = null;

  constructor({ leaseMs, beatMs }: { readonly leaseMs: number; readonly beatMs: number }) {
    this.#deadAfterMs = leaseMs * DEAD_AFTER_LEASES;
    this.#mostMs = beatMs * MOST_BEATS;
    this.#beatMs = beatMs;
  }

  /**
   * Takes in a look. Processes that are not in it are forgotten, unless they are dead: a dead one that has said nothing since
   * was silent all the time, and is dead again two looks after it is looked at anew. Only the time from the answer to the last
   * look until this one was sent has passed for sure: looks that pile up while Redis is away are all answered at one moment.
   *
   * @returns whether one of them has just died
   */
  looked(look: Look, { sentAtMs, answeredAtMs }: Asked): boolean {
    const passedMs = Math.min(Math.max(0, sentAtMs - (this.#answeredAtMs ?? sentAtMs)), this.#mostMs);
    this.#answeredAtMs = answeredAtMs;
    const before = this.#heard;
    for (const [process, heard] of before) if (!look.has(process) && this.#isDeath(heard)) this.#remember(process, heard.words);
    this.#heard = new Map([...look].map(([process, words]) => [process, this.#heardNow(process, words, passedMs)]));
    return [...this.#heard].some(([process, heard]) => this.#isDeath(heard) && !this.#isDeath(before.get(process)));
  }

  isDead(process: string): boolean {
    return this.#isDeath(this.#heard.get(process));
  }

  /** The last words of the process, null when it was never heard. */
  lastWords(process: string): string | null {
    return this.#heard.get(process)?.words ?? null;
  }

  /** A record that is gone says nothing new: its last words stay. */
  #heardNow(process: string, words: string | null, passedMs: number): Heard {
    const before = this.#heard.get(process);
    if (!before) return this.#remembered(process, words) ?? { words, silentMs: 0 };
    if (words === null || words === before.words) return { words: before.words, silentMs: before.silentMs + passedMs };
    return { words, silentMs: 0 };
  }

  /** One look more is waited for: after a failover, a living process may seem to have said nothing new for a moment. */
  #remembered(process: string, words: string | null): Heard | undefined {
    const last = this.#dead.get(process);
    if (last === undefined) return undefined;
    this.#dead.delete(process);
    return words === null || words === last ? { words: last, silentMs: this.#deadAfterMs - this.#beatMs } : undefined;
  }

  #remember(process: string, words: string | null): void {
    this.#dead.set(process, words);
    if (this.#dead.size <= MOST_DEAD) return;
    for (const earliest of this.#dead.keys()) {
      this.#dead.delete(earliest);
      return;
    }
  }

  #isDeath(heard: Heard | undefined): boolean {
    return (heard?.silentMs ?? 0) >= this.#deadAfterMs;
  }
}
