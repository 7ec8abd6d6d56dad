import type { Step } from './keyed.js';

/** Handled steps of each thing, in the order in which their handlers began. */
export class Tape {
  readonly #steps = new Map<number, number[]>();

  add({ thing, step }: Step): void {
    this.#steps.set(thing, [...(this.#steps.get(thing) ?? []), step]);
  }

  of(thing: number): readonly number[] {
    return this.#steps.get(thing) ?? [];
  }

  get count(): number {
    return [...this.#steps.values()].reduce((sum, { length }) => sum + length, 0);
  }
}
