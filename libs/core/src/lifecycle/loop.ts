import { asError } from '../errors.js';

export interface LoopOptions {
  /** Names the loop in errors. */
  readonly name: string;
  /**
   * One round. It returns how many milliseconds to wait before the next; 0 for none. The signal aborts when the loop is
   * stopped: a round that waits must give up then.
   */
  readonly round: (signal: AbortSignal) => Promise<number>;
  /** A round threw: the loop goes on, with growing pauses, and tells. */
  readonly onError: (error: Error, failures: number) => void;
}

const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;

/**
 * The one lifecycle of everything that runs in the background: idle -> running -> stopping -> stopped. A round that
 * throws never ends the loop; only {@link stop} does.
 */
export class Loop {
  readonly #options: LoopOptions;
  readonly #abort = new AbortController();
  #running: Promise<void> | null = null;
  #wake: (() => void) | null = null;
  #woken = false;

  constructor(options: LoopOptions) {
    this.#options = options;
  }

  start(): void {
    if (this.#running) return;
    this.#running = this.#run();
  }

  /** Ends the pause that the loop is in, or skips the next one. */
  wake(): void {
    this.#woken = true;
    this.#wake?.();
  }

  /** Aborts the round in progress and resolves when it has ended. May be called at any time, and again. */
  async stop(): Promise<void> {
    this.#abort.abort();
    this.#wake?.();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    let failures = 0;
    while (!signal.aborted) {
      try {
        const pauseMs = await this.#options.round(signal);
        failures = 0;
        if (pauseMs > 0) await this.#pause(pauseMs);
      } catch (thrown) {
        if (signal.aborted) return;
        failures += 1;
        this.#options.onError(asError(thrown), failures);
        await this.#pause(Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS));
      }
    }
  }

  #pause(ms: number): Promise<void> {
    if (this.#woken || this.#abort.signal.aborted) {
      this.#woken = false;
      return Promise.resolve();
    }
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#wake = null;
        this.#woken = false;
        resolve();
      };
      const timer = setTimeout(done, ms);
      this.#wake = done;
    });
  }
}
