import { emit, errorRecord, Loop } from '@millrace/core';
import { loadScript, type RedisConnection } from '@millrace/redis';

const releaseEntries = loadScript('./release-entries.lua', import.meta.url);

const READY_WAIT_MS = 1_000;
const IDLE_MS = 60_000;
const MOST_IN_A_CALL = 64;
/** Beyond it the oldest is left to the time for which an entry in progress is kept. */
const MOST_DOUBTS = 10_000;

interface Doubt {
  readonly key: string;
  readonly token: string;
  readonly connection: RedisConnection;
  /** Redis keeps the entry no longer than that, by the monotonic clock. */
  readonly untilMs: number;
}

/**
 * Releases entries whose begin was not answered. Their caller knows nothing of them and repeats the begin, perhaps elsewhere,
 * while their holder lives: everybody would wait for it in vain.
 */
export class DoubtfulBegins {
  readonly #keepMs: number;
  readonly #loop: Loop;
  readonly #doubts = new Set<Doubt>();

  constructor(keepMs: number) {
    this.#keepMs = keepMs;
    this.#loop = new Loop({
      name: 'ledger',
      round: (signal) => this.#round(signal),
      onError: (error, failures) => emit('loop-failed', { loop: 'ledger', error: errorRecord(error), failures }),
    });
  }

  add(connection: RedisConnection, key: string, token: string): void {
    this.#doubts.add({ key, token, connection, untilMs: performance.now() + this.#keepMs });
    const [oldest] = this.#doubts;
    if (oldest && this.#doubts.size > MOST_DOUBTS) this.#doubts.delete(oldest);
    this.#loop.start();
    this.#loop.wake();
  }

  async stop(): Promise<void> {
    await this.#loop.stop();
  }

  async #round(signal: AbortSignal): Promise<number> {
    const [first] = this.#doubts;
    if (!first) return IDLE_MS;
    const { connection } = first;
    if (!(await connection.whenReady(READY_WAIT_MS, signal))) {
      this.#leaveForLater(first);
      return 0;
    }
    const some = [...this.#doubts].filter((doubt) => doubt.connection === connection).slice(0, MOST_IN_A_CALL);
    await connection.run(releaseEntries, some.map(({ key }) => key), some.map(({ token }) => token));
    for (const doubt of some) this.#doubts.delete(doubt);
    return 0;
  }

  /** Those of other connections have their turn first. */
  #leaveForLater(doubt: Doubt): void {
    this.#doubts.delete(doubt);
    if (doubt.untilMs > performance.now()) this.#doubts.add(doubt);
  }
}
