import { constants } from 'node:os';

const SIGNALS = ['SIGTERM', 'SIGINT'] as const;
export type ShutdownSignal = (typeof SIGNALS)[number];

/** Waits to be asked to stop. The first signal asks; a second one ends the process at once, with 128 + its number. */
export class ShutdownSignals {
  readonly #listener = (signal: ShutdownSignal): void => this.#received(signal);
  readonly #ask: (signal: ShutdownSignal) => void;
  #isAsked = false;
  /** Resolves with the first signal. */
  readonly asked: Promise<ShutdownSignal>;

  constructor() {
    let ask!: (signal: ShutdownSignal) => void;
    this.asked = new Promise((resolve) => (ask = resolve));
    this.#ask = ask;
    for (const signal of SIGNALS) process.on(signal, this.#listener);
  }

  get isAsked(): boolean {
    return this.#isAsked;
  }

  /** From now on signals do what they do by default. */
  ignore(): void {
    for (const signal of SIGNALS) process.off(signal, this.#listener);
  }

  #received(signal: ShutdownSignal): void {
    if (this.#isAsked) process.exit(128 + constants.signals[signal]);
    this.#isAsked = true;
    this.#ask(signal);
  }
}
