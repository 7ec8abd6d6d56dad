import { spread, together } from '@millrace/core';
import type { Hints } from './hints.js';

/** A ring may get lost, so all streams are looked at from time to time. */
const LOOK_EVERY_MS = 30_000;

export interface LookWaitParts<Stream> {
  readonly hints: Hints<Stream>;
  /** How often to look while not every ring is heard. */
  readonly deafEveryMs: number;
  /** Whether every ring is heard. */
  readonly isListening: () => boolean;
}

/** Waits until a read pays: as somebody has rung, or as nobody has looked for long. */
export class LookWait<Stream> {
  readonly #parts: LookWaitParts<Stream>;
  #nextLookAtMs = 0;
  #wake: (() => void) | null = null;

  constructor(parts: LookWaitParts<Stream>) {
    this.#parts = parts;
  }

  /** The hints have changed. */
  wake(): void {
    this.#wake?.();
  }

  /** It is time to look at all streams. */
  lookNow(): void {
    this.#nextLookAtMs = 0;
    this.wake();
  }

  /** Rings are missed from now on. */
  lookSoon(): void {
    this.#nextLookAtMs = performance.now() + this.#parts.deafEveryMs;
    this.wake();
  }

  /** Streams that are worth a read now. */
  due(): Stream[] {
    const { hints, isListening, deafEveryMs } = this.#parts;
    const nowMs = performance.now();
    if (nowMs >= this.#nextLookAtMs) {
      hints.all(nowMs);
      this.#nextLookAtMs = nowMs + together(spread(isListening() ? LOOK_EVERY_MS : deafEveryMs));
    }
    return hints.due(nowMs);
  }

  /** Resolves when a read pays, or when the signal aborts. */
  async whenDue(signal: AbortSignal): Promise<void> {
    const wake = (): void => this.wake();
    signal.addEventListener('abort', wake);
    for (let waitMs = this.#waitMs; waitMs > 0 && !signal.aborted; waitMs = this.#waitMs) await this.#woken(waitMs);
    signal.removeEventListener('abort', wake);
  }

  get #waitMs(): number {
    return Math.min(this.#parts.hints.nextDueAtMs, this.#nextLookAtMs) - performance.now();
  }

  #woken(waitMs: number): Promise<void> {
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#wake = null;
        resolve();
      };
      const timer = setTimeout(done, Math.ceil(waitMs));
      this.#wake = done;
    });
  }
}
