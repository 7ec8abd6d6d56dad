import type { BenchOptions } from './options.js';

/** The options and the time that all measurements share. */
export class Stage {
  readonly options: BenchOptions;
  readonly #until: number;

  constructor(options: BenchOptions) {
    this.options = options;
    this.#until = performance.now() + options.minutes * 60_000;
  }

  /** Nothing begins when the time is up; what has begun ends. */
  hasTime(): boolean {
    return performance.now() < this.#until;
  }

  /** Progress goes to stderr: stdout is for the figures. */
  say(text: string): void {
    process.stderr.write(`bench: ${text}\n`);
  }
}
