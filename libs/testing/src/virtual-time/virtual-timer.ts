import type { Clock } from './clock.js';

type Callback = (...args: unknown[]) => void;

/** A timer as Node gives one: an object with `unref`, which keeps nothing alive here. */
export class VirtualTimer {
  readonly #time: Clock;
  readonly #callback: Callback;
  readonly #ms: number;
  readonly #repeats: boolean;
  #cancel: () => void = () => undefined;
  #isOver = false;

  constructor(time: Clock, callback: Callback, { ms, repeats }: { ms: number; repeats: boolean }) {
    this.#time = time;
    this.#callback = callback;
    this.#ms = ms;
    this.#repeats = repeats;
    this.refresh();
  }

  ref(): this {
    return this;
  }

  unref(): this {
    return this;
  }

  hasRef(): boolean {
    return true;
  }

  refresh(): this {
    this.#cancel();
    if (!this.#isOver) this.#cancel = this.#time.after(this.#ms, () => this.#due());
    return this;
  }

  close(): this {
    this.#isOver = true;
    this.#cancel();
    return this;
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #due(): void {
    if (this.#repeats) this.refresh();
    this.#callback();
  }
}

const LONGEST_MS = 2 ** 31 - 1;

/** As Node takes it: no time is one millisecond, and so is one that is too long. */
export function delayOf(ms: unknown): number {
  const number = Number(ms ?? 1);
  return number >= 1 && number <= LONGEST_MS ? Math.trunc(number) : 1;
}
