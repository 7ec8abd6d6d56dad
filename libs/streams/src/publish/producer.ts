import { randomBytes } from 'node:crypto';

/** Most batches of one producer in flight; Redis keeps as many replies (KEPT_REPLIES in include/producers.lua). */
export const MOST_IN_FLIGHT = 4;
/**
 * A producer that has sent nothing for so long takes another id: Redis keeps the record of a silent producer for an hour at
 * least, and may have removed it after that.
 */
const SILENT_MS = 1_800_000;

/** Batches that follow one another, by their numbers. */
export interface Span {
  readonly first: number;
  readonly last: number;
}

/**
 * The numbers of the batches for one partition. Redis stores a batch only behind the one before it, so that a number is stored
 * once, in its order, or never.
 */
export class Producer {
  #id = newId();
  #given = 0;
  #confirmed = 0;
  #sentAt = performance.now();

  /** Unique per process start and partition. */
  get id(): string {
    return this.#id;
  }

  /** The last number that Redis has confirmed as stored or closed. */
  get confirmed(): number {
    return this.#confirmed;
  }

  /** Whether it was silent for so long that Redis may have removed its record. */
  get isForgotten(): boolean {
    return performance.now() - this.#sentAt > SILENT_MS;
  }

  /** The number of the next batch, which is sent now. */
  take(): number {
    if (this.#given === this.#confirmed && this.isForgotten) this.renew();
    this.#sentAt = performance.now();
    this.#given += 1;
    return this.#given;
  }

  confirm(number: number): void {
    this.#confirmed = Math.max(this.#confirmed, number);
  }

  /** Uses the numbers from this one on again: none of these batches is stored or in flight. */
  takeBack(number: number): void {
    this.#given = number - 1;
  }

  /** Begins anew with another id: Redis does not know this one any more. */
  renew(): void {
    this.#id = newId();
    this.#given = 0;
    this.#confirmed = 0;
  }
}

function newId(): string {
  return randomBytes(9).toString('base64url');
}
