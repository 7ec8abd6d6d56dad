/** Items in an order of their own, found by halving. Most are added at the end. */
export class SortedList<T> {
  readonly items: T[] = [];
  readonly #compare: (one: T, other: T) => number;

  constructor(compare: (one: T, other: T) => number) {
    this.#compare = compare;
  }

  get size(): number {
    return this.items.length;
  }

  get first(): T | undefined {
    return this.items[0];
  }

  get last(): T | undefined {
    return this.items[this.items.length - 1];
  }

  /** The index of the first item for which `isBehind` holds; it holds for all items after that one. */
  search(isBehind: (item: T) => boolean): number {
    let [low, high] = [0, this.items.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (isBehind(this.items[middle]!)) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  add(item: T): void {
    const { last } = this;
    if (last === undefined || this.#compare(last, item) < 0) this.items.push(item);
    else this.items.splice(this.search((each) => this.#compare(each, item) > 0), 0, item);
  }

  /** @returns whether there was an item in the place of the given one */
  remove(item: T): boolean {
    const index = this.search((each) => this.#compare(each, item) >= 0);
    const found = this.items[index];
    if (found === undefined || this.#compare(found, item) !== 0) return false;
    this.items.splice(index, 1);
    return true;
  }
}
