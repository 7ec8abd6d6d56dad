/** Random numbers that come out the same for the same seed and name. Not for secrets. */
export class SeededRandom {
  readonly #seed: number;
  #state: number;

  constructor(seed: number, name = '') {
    this.#seed = seed;
    this.#state = hash(`${seed}/${name}`);
  }

  /** A stream of its own, so that what one part draws does not change what another one gets. */
  stream(name: string): SeededRandom {
    return new SeededRandom(this.#seed, name);
  }

  /** From 0 up to, and without, 1 (mulberry32). */
  fraction(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), this.#state | 1);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 0x1_0000_0000;
  }

  /** A whole number, both ends included. */
  integer(from: number, to: number): number {
    return from + Math.floor(this.fraction() * (to - from + 1));
  }

  chance(probability: number): boolean {
    return this.fraction() < probability;
  }

  pick<T>(items: readonly [T, ...T[]]): T {
    return items[this.integer(0, items.length - 1)] ?? items[0];
  }

  /** `count` different items, or all when there are fewer, in random order. */
  sample<T>(items: readonly T[], count: number): T[] {
    const drawn = [...items];
    const wanted = Math.min(count, drawn.length);
    for (let at = 0; at < wanted; at += 1) {
      const other = this.integer(at, drawn.length - 1);
      [drawn[at], drawn[other]] = [drawn[other] as T, drawn[at] as T];
    }
    return drawn.slice(0, wanted);
  }
}

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let value = 0x811c9dc5;
  for (let at = 0; at < text.length; at += 1) value = Math.imul(value ^ text.charCodeAt(at), 0x01000193);
  return value;
}
