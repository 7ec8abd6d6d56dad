/** The memory that messages on their way may take in this process, over all topics: those that wait and those that were sent. */
export class PublishBudget {
  readonly bytes: number;
  #taken = 0;

  constructor(bytes: number) {
    this.bytes = bytes;
  }

  /** @returns whether there was room; alone, a message has room however large it is */
  take(bytes: number): boolean {
    if (this.#taken > 0 && this.#taken + bytes > this.bytes) return false;
    this.#taken += bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#taken -= bytes;
  }
}
