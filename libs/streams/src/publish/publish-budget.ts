/**
 * What the heap holds of a message beside its text: its object, the promise of its caller with both ends of it, its id and its
 * place in the queue. Measured on Node 20, rounded up.
 */
export const MESSAGE_OVERHEAD_BYTES = 512;

/** The memory that messages on their way may take in this process, over all topics: those that wait and those that were sent. */
export class PublishBudget {
  readonly bytes: number;
  #taken = 0;

  constructor(bytes: number) {
    this.bytes = bytes;
  }

  /** @returns whether there was room for a message with so much text; alone, it has room however large it is */
  take(textBytes: number): boolean {
    const bytes = textBytes + MESSAGE_OVERHEAD_BYTES;
    if (this.#taken > 0 && this.#taken + bytes > this.bytes) return false;
    this.#taken += bytes;
    return true;
  }

  giveBack(textBytes: number): void {
    this.#taken -= textBytes + MESSAGE_OVERHEAD_BYTES;
  }
}
