/**
 * Heap bytes of a message beside its text: its object, the promise of its caller, its id and its place in the queue. Measured
 * on Node 20, rounded up.
 */
export const MESSAGE_OVERHEAD_BYTES = 512;

/** The memory for messages that wait or were sent, in this process, over all topics. */
export class PublishBudget {
  readonly bytes: number;
  #taken = 0;

  constructor(bytes: number) {
    this.bytes = bytes;
  }

  /** @returns whether there was room for a message with so much text; a message alone always has room */
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
