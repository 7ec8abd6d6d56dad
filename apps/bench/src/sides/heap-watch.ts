/** Remembers the highest use of the JavaScript heap, looked at many times a second. */
export class HeapWatch {
  #highest = 0;

  constructor() {
    setInterval(() => this.#look(), 20).unref();
  }

  /** In bytes, since the last call. */
  highest(): number {
    this.#look();
    const highest = this.#highest;
    this.#highest = 0;
    return highest;
  }

  #look(): void {
    this.#highest = Math.max(this.#highest, process.memoryUsage().heapUsed);
  }
}
