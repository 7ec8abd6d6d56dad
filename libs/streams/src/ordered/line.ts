/** So many that were taken are kept in memory at the most, beside as many as stand in line. */
const MOST_TAKEN = 64;

/** Things that are taken in the order in which they came. */
export class Line<T> {
  #items: T[] = [];
  /** Index of the first. */
  #next = 0;

  get length(): number {
    return this.#items.length - this.#next;
  }

  get first(): T | undefined {
    return this.#items[this.#next];
  }

  get all(): T[] {
    return this.#items.slice(this.#next);
  }

  add(item: T): void {
    this.#items.push(item);
  }

  /** Takes the first; undefined when there is none. */
  take(): T | undefined {
    const { first } = this;
    if (this.#next < this.#items.length) this.#next += 1;
    if (this.#next > MOST_TAKEN && this.#next * 2 > this.#items.length) this.keep(this.all);
    return first;
  }

  /** These stand in line from now on, and no others. */
  keep(items: T[]): void {
    this.#items = items;
    this.#next = 0;
  }
}
