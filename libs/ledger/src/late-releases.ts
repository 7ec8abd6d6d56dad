import { asError, emit, errorRecord, Loop } from '@millrace/core';
import type { EntryPlace } from './ledger-shard.js';
import type { TickBatches } from './tick-batches.js';

const READY_WAIT_MS = 1_000;
const IDLE_MS = 60_000;
const MOST_AT_ONCE = 64;
/** Beyond it the oldest is left to the time for which an entry in progress is kept. */
const MOST_RELEASES = 10_000;

interface LateRelease {
  readonly place: EntryPlace;
  readonly token: string;
  /** Redis keeps the entry no longer than that, by the monotonic clock. */
  readonly untilMs: number;
}

/**
 * Releases entries whose begin, or whose release, was not answered. Their caller knows nothing of them, or wants nothing of them
 * any more, and their holder lives: everybody would wait for it in vain.
 */
export class LateReleases {
  readonly #keepMs: number;
  readonly #releases: TickBatches;
  readonly #loop: Loop;
  readonly #waiting = new Set<LateRelease>();

  constructor(releases: TickBatches, keepMs: number) {
    this.#releases = releases;
    this.#keepMs = keepMs;
    this.#loop = new Loop({
      name: 'ledger',
      round: (signal) => this.#round(signal),
      onError: (error, failures) => emit('loop-failed', { loop: 'ledger', error: errorRecord(error), failures }),
    });
  }

  add(place: EntryPlace, token: string): void {
    this.#waiting.add({ place, token, untilMs: performance.now() + this.#keepMs });
    const [oldest] = this.#waiting;
    if (oldest && this.#waiting.size > MOST_RELEASES) this.#waiting.delete(oldest);
    this.#loop.start();
    this.#loop.wake();
  }

  async stop(): Promise<void> {
    await this.#loop.stop();
  }

  async #round(signal: AbortSignal): Promise<number> {
    const [first] = this.#waiting;
    if (!first) return IDLE_MS;
    const { connection } = first.place.shard;
    if (!(await connection.whenReady(READY_WAIT_MS, signal))) {
      this.#leaveForLater(first);
      return 0;
    }
    const some = [...this.#waiting].filter(({ place }) => place.shard.connection === connection).slice(0, MOST_AT_ONCE);
    await Promise.all(some.map((release) => this.#release(release)));
    for (const release of some) this.#waiting.delete(release);
    return 0;
  }

  #release({ place, token }: LateRelease): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#releases.add({ place, args: [token], answered: () => resolve(), failed: (error) => reject(asError(error)) });
    });
  }

  /** Those of other connections have their turn first. */
  #leaveForLater(release: LateRelease): void {
    this.#waiting.delete(release);
    if (release.untilMs > performance.now()) this.#waiting.add(release);
  }
}
