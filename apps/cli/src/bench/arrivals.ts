/** Messages that were sent and have not arrived, by their numbers. */
export class Arrivals {
  readonly #waiting = new Map<number, () => void>();

  /** Resolves when the number arrives; ask before it is sent. */
  of(number: number): Promise<void> {
    return new Promise((resolve) => this.#waiting.set(number, resolve));
  }

  /** One that arrives again counts once. */
  arrived(number: number): void {
    this.#waiting.get(number)?.();
    this.#waiting.delete(number);
  }
}
