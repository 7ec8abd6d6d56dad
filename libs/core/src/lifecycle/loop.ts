import { setImmediate } from 'node:timers/promises';
import { backoffDelayMs, LOOP_BACKOFF } from '../delivery/backoff.js';
import { errorRecord } from '../delivery/error-record.js';
import { asError } from '../errors.js';
import { emit } from '../events.js';
import { presentSpans } from '../trace/spans.js';
import { together } from './together.js';

export interface LoopOptions {
  /** Names the loop in errors. */
  readonly name: string;
  /**
   * One round. It returns how many milliseconds to wait before the next; 0 for none. The signal aborts when the loop is
   * stopped: a round that waits must give up then, by returning or by throwing.
   */
  readonly round: (signal: AbortSignal) => Promise<number>;
  /** Is called when a round threw. The loop goes on, with growing pauses; `failures` counts them since the last good round. */
  readonly onError: (error: Error, failures: number) => void;
}

/** Timers end at 2^31 ms: a longer one would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
/** Rounds that neither wait nor pause would keep the process from everything else, {@link Loop.stop} included. */
const ROUNDS_A_TURN = 32;

/**
 * The one lifecycle of everything that runs in the background: idle -> running -> stopping -> stopped. A round that
 * throws never ends the loop; only {@link stop} does, and for good: a stopped loop does not start again.
 */
export class Loop {
  readonly #options: LoopOptions;
  readonly #abort = new AbortController();
  #running: Promise<void> | null = null;
  #wake: (() => void) | null = null;
  #woken = false;
  #failures = 0;
  #roundsInTurn = 0;

  constructor(options: LoopOptions) {
    this.#options = options;
  }

  /** Begins the first round. May be called again; does nothing once the loop was stopped. */
  start(): void {
    if (this.#running || this.#abort.signal.aborted) return;
    const run = (): Promise<void> => this.#run();
    this.#running = presentSpans()?.suppressed(run) ?? run();
  }

  /** Ends the pause that the loop is in, or skips the next one. */
  wake(): void {
    this.#woken = true;
    this.#wake?.();
  }

  /**
   * Aborts the round in progress and resolves when it has ended. May be called at any time, and again; a round itself
   * must not wait for it.
   */
  async stop(): Promise<void> {
    this.#abort.abort();
    this.#wake?.();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#abort;
    while (!signal.aborted) {
      const pauseMs = await this.#round(signal);
      if (pauseMs > 0) await this.#pause(pauseMs);
      else await this.#giveWay();
    }
  }

  /** @returns how long to pause */
  async #round(signal: AbortSignal): Promise<number> {
    try {
      const pauseMs = await this.#options.round(signal);
      this.#failures = 0;
      return pauseMs;
    } catch (thrown) {
      if (signal.aborted) return 0;
      this.#failures += 1;
      this.#report(asError(thrown));
      return backoffDelayMs(LOOP_BACKOFF, this.#failures);
    }
  }

  #report(error: Error): void {
    try {
      this.#options.onError(error, this.#failures);
    } catch (thrown) {
      emit('loop-failed', { loop: this.#options.name, error: errorRecord(thrown), failures: this.#failures });
    }
  }

  #pause(ms: number): Promise<void> {
    if (this.#woken || this.#abort.signal.aborted) {
      this.#woken = false;
      return this.#giveWay();
    }
    this.#roundsInTurn = 0;
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#wake = null;
        this.#woken = false;
        resolve();
      };
      const timer = setTimeout(done, Math.min(together(ms), LONGEST_TIMER_MS));
      this.#wake = done;
    });
  }

  async #giveWay(): Promise<void> {
    this.#roundsInTurn += 1;
    if (this.#roundsInTurn < ROUNDS_A_TURN) return;
    this.#roundsInTurn = 0;
    await setImmediate();
  }
}
