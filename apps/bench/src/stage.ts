import { setMaxListeners } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import type { BenchOptions } from './options.js';

/** The options of a run and the time that is given to one part of it. */
export class Stage {
  readonly options: BenchOptions;
  /** Aborted when the time is up: whatever still runs then ends. */
  readonly signal: AbortSignal;
  readonly #until: number;

  constructor(options: BenchOptions, milliseconds: number) {
    this.options = options;
    this.#until = performance.now() + milliseconds;
    this.signal = AbortSignal.timeout(Math.max(0, Math.round(milliseconds)));
    // Every process of a part listens to it.
    setMaxListeners(0, this.signal);
  }

  get leftMs(): number {
    return Math.max(0, this.#until - performance.now());
  }

  /** @param neededMs for what would begin now. Default: any */
  hasTime(neededMs = 0): boolean {
    return this.leftMs > neededMs;
  }

  /** @param share of the time that is left, up to 1 */
  part(share: number): Stage {
    return new Stage(this.options, this.leftMs * share);
  }

  /** @throws AbortError when the time is up before */
  async pause(milliseconds: number): Promise<void> {
    await pause(milliseconds, undefined, { signal: this.signal });
  }

  /** Progress goes to stderr: stdout is for the figures. */
  say(text: string): void {
    process.stderr.write(`bench: ${text}\n`);
  }
}
