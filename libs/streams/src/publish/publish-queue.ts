import type { QueuedMessage } from './queued-message.js';

export const MAX_BATCH_MESSAGES = 256;
export const MAX_BATCH_BYTES = 1024 * 1024;

/** Messages that wait to be sent to one partition, in their order. */
export class PublishQueue {
  #items: QueuedMessage[] = [];
  #bytes = 0;

  /** All of them, as they are now. */
  get items(): readonly QueuedMessage[] {
    return [...this.#items];
  }

  get length(): number {
    return this.#items.length;
  }

  /** Whether the next batch is full. */
  get hasFullBatch(): boolean {
    return this.#items.length >= MAX_BATCH_MESSAGES || this.#bytes >= MAX_BATCH_BYTES;
  }

  add(item: QueuedMessage): void {
    this.#items.push(item);
    this.#bytes += item.bytes;
  }

  /** Puts messages before all others: they were published earlier. */
  putBack(items: readonly QueuedMessage[]): void {
    this.#set([...items, ...this.#items]);
  }

  /** The next batch: as many messages as fit, and one at the least. */
  take(most = MAX_BATCH_MESSAGES): QueuedMessage[] {
    const taken = this.#items.splice(0, this.#countWithin(Math.min(most, MAX_BATCH_MESSAGES, this.#items.length)));
    for (const { bytes } of taken) this.#bytes -= bytes;
    return taken;
  }

  takeAll(): QueuedMessage[] {
    const all = this.#items;
    this.#set([]);
    return all;
  }

  /** Keeps only the messages that `keep` returns. */
  keep(keep: (items: readonly QueuedMessage[]) => QueuedMessage[]): void {
    if (this.#items.length > 0) this.#set(keep(this.#items));
  }

  #countWithin(most: number): number {
    let count = 1;
    for (let bytes = this.#items[0]!.bytes; count < most; count += 1) {
      bytes += this.#items[count]!.bytes;
      if (bytes > MAX_BATCH_BYTES) break;
    }
    return count;
  }

  #set(items: QueuedMessage[]): void {
    this.#items = items;
    this.#bytes = items.reduce((sum, { bytes }) => sum + bytes, 0);
  }
}
