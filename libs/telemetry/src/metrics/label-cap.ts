/** Stands for all values beyond those that a label may have; no name of a topic, group, queue or service can be it. */
export const OTHER = '~other';

/** Keeps a label to so many values, the first that come: each value is a series, kept in memory and at each scrape. */
export class LabelCap {
  readonly #most: number;
  readonly #known = new Set<string>();

  constructor(most: number) {
    this.#most = most;
  }

  of(value: string): string {
    if (this.#known.has(value)) return value;
    if (this.#known.size >= this.#most) return OTHER;
    this.#known.add(value);
    return value;
  }
}

/** Keeps two labels, of which the second belongs to the first: so many first values, and so many second ones of each. */
export class PairCap {
  readonly #first: LabelCap;
  readonly #mostOfEach: number;
  readonly #second = new Map<string, LabelCap>();

  constructor({ first, ofEach }: { readonly first: number; readonly ofEach: number }) {
    this.#first = new LabelCap(first);
    this.#mostOfEach = ofEach;
  }

  first(value: string): string {
    return this.#first.of(value);
  }

  of(first: string, second: string): readonly [first: string, second: string] {
    const one = this.#first.of(first);
    let cap = this.#second.get(one);
    if (!cap) this.#second.set(one, (cap = new LabelCap(this.#mostOfEach)));
    return [one, cap.of(second)];
  }
}
