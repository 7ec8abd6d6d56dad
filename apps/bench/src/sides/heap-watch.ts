import { getHeapStatistics } from 'node:v8';

const LOOK_EVERY_MS = 20;

/** Remembers the highest use of the JavaScript heap from the first call on. Before that it looks at nothing: a look costs CPU. */
export class HeapWatch {
  #highest = 0;
  #isLooking = false;

  /** In bytes, since the last call. */
  highest(): number {
    if (!this.#isLooking) setInterval(() => this.#look(), LOOK_EVERY_MS).unref();
    this.#isLooking = true;
    this.#look();
    const highest = this.#highest;
    this.#highest = 0;
    return highest;
  }

  #look(): void {
    this.#highest = Math.max(this.#highest, getHeapStatistics().used_heap_size);
  }
}
