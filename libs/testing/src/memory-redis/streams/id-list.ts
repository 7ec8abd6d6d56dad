import { SortedList } from '../sorted-list.js';
import type { EntryId, IdRange } from './entry-id.js';

/** Items that have entry ids, in their order. */
export class IdList<T extends { readonly id: EntryId }> {
  readonly #list = new SortedList<T>((one, other) => (one.id < other.id ? -1 : one.id > other.id ? 1 : 0));

  get size(): number {
    return this.#list.size;
  }

  get first(): T | undefined {
    return this.#list.first;
  }

  get last(): T | undefined {
    return this.#list.last;
  }

  get items(): readonly T[] {
    return this.#list.items;
  }

  find(id: EntryId): T | undefined {
    const found = this.#list.items[this.#from(id)];
    return found?.id === id ? found : undefined;
  }

  add(item: T): void {
    this.#list.add(item);
  }

  remove(item: T): boolean {
    return this.#list.remove(item);
  }

  /** Removes the first ones. */
  shift(count: number): void {
    this.#list.items.splice(0, count);
  }

  range({ from, to, isAbove, isBelow }: IdRange, most = Number.POSITIVE_INFINITY): T[] {
    const [first, behind] = [this.#from(from, isAbove), this.#from(to, !isBelow)];
    return this.#list.items.slice(first, Math.min(Math.max(first, behind), first + most));
  }

  /** From the last one on, downwards. */
  reversed({ from, to, isAbove, isBelow }: IdRange, most = Number.POSITIVE_INFINITY): T[] {
    const [first, behind] = [this.#from(from, isAbove), this.#from(to, !isBelow)];
    return this.#list.items.slice(Math.max(first, behind - most), Math.max(first, behind)).reverse();
  }

  after(id: EntryId, most = Number.POSITIVE_INFINITY): T[] {
    const first = this.#from(id, true);
    return this.#list.items.slice(first, first + most);
  }

  #from(id: EntryId, isAbove = false): number {
    return this.#list.search((item) => (isAbove ? item.id > id : item.id >= id));
  }
}
