import { randomBytes } from 'node:crypto';

/** Batches of one producer on their way at the most; Redis keeps as many replies (KEPT_REPLIES in include/producers.lua). */
export const MOST_IN_FLIGHT = 4;
/**
 * A producer that has sent nothing for so long takes another id: Redis keeps the record of one that is silent for an hour at
 * least, and would not know it after that.
 */
const SILENT_MS = 1_800_000;

/** Batches that follow one another, by their numbers. */
export interface Span {
  readonly first: number;
  readonly last: number;
}

/**
 * The numbers that batches for one partition are sent with. Redis stores a batch only behind the one before it, so that a
 * number is stored once, in its order, or never.
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

  /** The last number of which Redis has said that it is stored or closed. */
  get confirmed(): number {
    return this.#confirmed;
  }

  /** Whether Redis may have forgotten it, since it was silent for so long. */
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

  /** Those from this one on are not stored, and none of them is on its way: they are given again. */
  takeBack(number: number): void {
    this.#given = number - 1;
  }

  /** Redis does not know it any more: it begins anew, as another one. */
  renew(): void {
    this.#id = newId();
    this.#given = 0;
    this.#confirmed = 0;
  }
}

function newId(): string {
  return randomBytes(9).toString('base64url');
}
