/** FNV-1a of 32 bits. */
const [OFFSET, PRIME] = [0x811c9dc5, 0x01000193];

/** All that happened, as one number, and as lines when they are asked for: equal runs have equal traces. */
export class Trace {
  readonly #keeps: boolean;
  readonly lines: string[] = [];
  /** Events so far. */
  count = 0;
  #hash = OFFSET;

  /** @param keeps whether it keeps the lines, to be shown */
  constructor(keeps: boolean) {
    this.#keeps = keeps;
  }

  add(line: string): void {
    this.count += 1;
    let hash = this.#hash;
    for (let i = 0; i < line.length; i += 1) hash = Math.imul(hash ^ line.charCodeAt(i), PRIME);
    this.#hash = hash;
    if (this.#keeps) this.lines.push(line);
  }

  /** 8 hexadecimal digits. */
  get hash(): string {
    return (this.#hash >>> 0).toString(16).padStart(8, '0');
  }
}
