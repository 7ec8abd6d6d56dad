import { Hints } from '../ring/hints.js';
import { LookWait } from '../ring/look-wait.js';
import { ringOf } from '../ring/ring-text.js';
import type { Ear, RingListener, Rings } from '../ring/rings.js';

/** How often all logs are looked at while not every ring is heard; what groups have settled stays for a second. */
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
  /** By channel. */
  readonly #hints: Hints<string>;
  readonly #wait: LookWait<string>;
  #ear: Ear | null = null;

  constructor(parts: LogRingsParts) {
    this.#parts = parts;
    this.#hints = new Hints(parts.channels);
    const isListening = (): boolean => this.#ear?.isOpen ?? false;
    this.#wait = new LookWait({ hints: this.#hints, deafEveryMs: LOOK_DEAF_EVERY_MS, isListening });
    this.#wait.lookSoon();
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
    this.#hints.rung(channel, ring.id, performance.now());
    this.#wait.wake();
  }

  readonly opened = (): void => this.lookAtAll();

  readonly lost = (): void => this.#wait.lookSoon();

  /** Messages may have come for which nobody has rung. */
  lookAtAll(): void {
    this.#wait.lookNow();
  }

  /** Resolves when a read pays, or when the signal aborts. */
  whenDue(signal: AbortSignal): Promise<void> {
    return this.#wait.whenDue(signal);
  }

  /** Channels of the logs that are worth a read now. */
  due(): ReadonlySet<string> {
    return new Set(this.#wait.due());
  }

  /** The last ring for a log; empty before the first. */
  lastFor(channel: string): string {
    return this.#hints.of(channel);
  }

  /** A read that was sent after this ring has left nothing in the log. */
  emptied(channel: string, ring: string): void {
    const last = this.lastFor(channel);
    this.#hints.emptied(channel, this.#parts.isRead(channel, last) ? last : ring);
  }

  /** There may be more in the log, though nobody rings for it any more. */
  left(channel: string): void {
    this.#hints.left(channel, performance.now());
  }
}
