import { spread, together } from '@millrace/core';
import { ringOf } from '../ring/ring-text.js';
import type { Ear, RingListener, Rings } from '../ring/rings.js';

/** A ring may get lost, so all logs are looked at from time to time. */
const LOOK_EVERY_MS = 30_000;
/** While not every ring is heard; what groups have settled stays for a second. */
const LOOK_DEAF_EVERY_MS = 500;

export interface LogRingsParts {
  readonly rings: Rings;
  /** Those of the partitions. */
  readonly channels: readonly string[];
  /** Whether all messages were read that were there at the ring with this id. */
  readonly isRead: (channel: string, id: string) => boolean;
}

/** Knows which logs a broadcast should read: those that somebody has rung for, and all of them now and then. */
export class LogRings implements RingListener {
  readonly #parts: LogRingsParts;
  /** By channel, the last ring for a log that is to be read. */
  readonly #rung = new Map<string, string>();
  #ear: Ear | null = null;
  #nextLookAtMs = performance.now() + LOOK_DEAF_EVERY_MS;
  #wake: (() => void) | null = null;

  constructor(parts: LogRingsParts) {
    this.#parts = parts;
  }

  listen(): void {
    this.#ear = this.#parts.rings.listen(this.#parts.channels, this);
  }

  close(): void {
    this.#ear?.close();
  }

  heard(channel: string, text: string): void {
    const ring = ringOf(text);
    if (ring?.kind !== 'log' || this.#parts.isRead(channel, ring.id)) return;
    this.#rung.set(channel, ring.id);
    this.#wake?.();
  }

  readonly opened = (): void => this.lookAtAll();

  readonly lost = (): void => {
    this.#nextLookAtMs = performance.now() + LOOK_DEAF_EVERY_MS;
    this.#wake?.();
  };

  /** Messages may have come for which nobody has rung. */
  lookAtAll(): void {
    this.#nextLookAtMs = 0;
    this.#wake?.();
  }

  /** Resolves when a read pays, or when the signal aborts. */
  async whenDue(signal: AbortSignal): Promise<void> {
    const wake = (): void => this.#wake?.();
    signal.addEventListener('abort', wake);
    while (this.#waitMs > 0 && !signal.aborted) await this.#woken(this.#waitMs);
    signal.removeEventListener('abort', wake);
  }

  /** Whether it is time to read all logs, which counts as done from now on. */
  takeLook(): boolean {
    const nowMs = performance.now();
    if (nowMs < this.#nextLookAtMs) return false;
    this.#nextLookAtMs = nowMs + together(spread(this.#ear?.isOpen ? LOOK_EVERY_MS : LOOK_DEAF_EVERY_MS));
    return true;
  }

  /** The last ring for a log that is to be read; null when it need not be. */
  of(channel: string): string | null {
    return this.#rung.get(channel) ?? null;
  }

  /** A read that was sent after this ring has left nothing in the log. */
  emptied(channel: string, ring: string | null): void {
    const last = this.of(channel);
    if (last !== null && (last === ring || this.#parts.isRead(channel, last))) this.#rung.delete(channel);
  }

  /** There may be more in the log, though nobody rings for it any more. */
  left(channel: string, ring: string | null): void {
    this.#rung.set(channel, this.of(channel) ?? ring ?? '');
  }

  get #waitMs(): number {
    return this.#rung.size > 0 ? 0 : this.#nextLookAtMs - performance.now();
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
