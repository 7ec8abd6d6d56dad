/** When a count has stood still for so long though more is awaited, it will not come. */
const PATIENCE_MS = 60_000;

/** A count does not grow any more. */
export class Standstill extends Error {}

/** A count of what has begun, which others wait for. */
export class Progress {
  #count = 0;
  #waiting: { readonly at: number; readonly resolve: () => void }[] = [];

  advance(): void {
    this.#count += 1;
    const due = this.#waiting.filter(({ at }) => at <= this.#count);
    if (due.length === 0) return;
    this.#waiting = this.#waiting.filter(({ at }) => at > this.#count);
    for (const { resolve } of due) resolve();
  }

  /** Resolves when so many more have begun. @throws Standstill */
  further(count: number): Promise<void> {
    return this.reached(this.#count + count);
  }

  /** Resolves when so many have begun in all. @throws Standstill */
  async reached(at: number): Promise<void> {
    if (at <= this.#count) return;
    let timer: NodeJS.Timeout | undefined;
    const standstill = new Promise<never>((_, reject) => {
      let before = this.#count;
      timer = setInterval(() => {
        if (this.#count === before) reject(new Standstill(`Nothing has begun for ${PATIENCE_MS} ms, at ${before} of ${at}.`));
        before = this.#count;
      }, PATIENCE_MS);
    });
    const enough = new Promise<void>((resolve) => this.#waiting.push({ at, resolve }));
    await Promise.race([enough, standstill]).finally(() => clearInterval(timer));
  }
}
