import type { PresencePort, Watcher } from '@millrace/core';

/** A holder that nobody has asked about for so many leases is watched no more. */
const WATCHED_FOR_LEASES = 4;
/** Entries that others wrote may name any number of holders. */
const MOST_HOLDERS = 1_024;

/** The holders of entries that somebody waits for, watched while they are asked about: presence alone says that they died. */
export class Holders implements Watcher {
  readonly onGone = (): void => undefined;
  readonly onReturn = (): void => undefined;
  readonly #presence: PresencePort;
  readonly #keepMs: number;
  /** Holder -> when it was asked about last, by the monotonic clock; that longest ago comes first. */
  readonly #askedAtMs = new Map<string, number>();
  #isWatching = false;

  constructor(presence: PresencePort) {
    this.#presence = presence;
    this.#keepMs = presence.leaseMs * WATCHED_FOR_LEASES;
  }

  get watched(): Iterable<string> {
    const oldestMs = performance.now() - this.#keepMs;
    for (const [holder, askedAtMs] of this.#askedAtMs) {
      if (askedAtMs > oldestMs) break;
      this.#askedAtMs.delete(holder);
    }
    return this.#askedAtMs.keys();
  }

  /** Whether the holder is known to have left or died. One that is asked about for the first time counts as living. */
  isGone(holder: string): boolean {
    this.#askedAtMs.delete(holder);
    this.#askedAtMs.set(holder, performance.now());
    if (this.#askedAtMs.size > MOST_HOLDERS) this.#forgetOne();
    if (!this.#isWatching) {
      this.#isWatching = true;
      this.#presence.watch(this);
    }
    return this.#presence.fateOf(holder) !== 'living';
  }

  stop(): void {
    this.#presence.unwatch(this);
    this.#isWatching = false;
    this.#askedAtMs.clear();
  }

  #forgetOne(): void {
    const [oldest = ''] = this.#askedAtMs.keys();
    this.#askedAtMs.delete(oldest);
  }
}
