import type { Work } from './work.js';

const NOTHING: readonly Work[] = [];

/** The batches that have a slot: begun -> handled -> ended, or begun -> given up. */
export class Running {
  /** The part of each that is in the hands of a handler. */
  readonly #begun = new Map<readonly Work[], readonly Work[]>();
  #messages = 0;

  /** Batches. */
  get size(): number {
    return this.#begun.size;
  }

  get messages(): number {
    return this.#messages;
  }

  add(batch: readonly Work[]): void {
    this.#begun.set(batch, NOTHING);
    this.#messages += batch.length;
  }

  /** @param begun what of the batch a handler is given */
  begin(batch: readonly Work[], begun: readonly Work[]): void {
    this.#begun.set(batch, begun);
  }

  /** Its handler has ended. @returns false when it was given up before: then the handler decides nothing */
  handled(batch: readonly Work[]): boolean {
    if (!this.#begun.has(batch)) return false;
    this.#begun.set(batch, NOTHING);
    return true;
  }

  /** It takes no slot any more. @returns false when it took none already */
  end(batch: readonly Work[]): boolean {
    if (!this.#begun.delete(batch)) return false;
    this.#messages -= batch.length;
    return true;
  }

  /** Batches whose handler is still at work, with what it was given. */
  atWork(): [batch: readonly Work[], begun: readonly Work[]][] {
    return [...this.#begun].filter(([, begun]) => begun.length > 0);
  }
}
