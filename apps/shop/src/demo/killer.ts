import { setTimeout as pause } from 'node:timers/promises';
import type { SeededRandom } from '../random/seeded-random.js';
import { planKills } from './kill-plan.js';
import type { WorkerPool } from './worker-pool.js';

const LATEST_MS = 80;

export interface KillOccasion {
  /** Whether a published message is not settled yet, or orders are being charged and published. */
  readonly atWork: boolean;
  /** Whether nothing is at work, and nothing more is published before the kill. */
  readonly exhausted: boolean;
}

/** Kills workers while they work, at random moments of the replay. */
export class Killer {
  readonly #pool: WorkerPool;
  readonly #random: SeededRandom;
  readonly #moments: number[];

  constructor(pool: WorkerPool, random: SeededRandom, count: number) {
    this.#pool = pool;
    this.#random = random;
    this.#moments = planKills(count, random);
  }

  /** Kills that are still to come. As long as there are any, not all may be published. */
  get remaining(): number {
    return this.#moments.length;
  }

  /**
   * Kills a worker when the next moment has come and there is work in its hands; also when nothing will move before it is
   * killed, as in a replay that is too short for moments.
   *
   * @param share of the deliveries that are settled, 0 to 1
   */
  async step(share: number, { atWork, exhausted }: KillOccasion): Promise<void> {
    const [moment] = this.#moments;
    if (moment === undefined || !this.#pool.hasVictim) return;
    if (!exhausted && !(atWork && share >= moment)) return;
    this.#moments.shift();
    // Rounds begin with a batch: the kill is to hit its calls and handlers at any stage.
    await pause(this.#random.integer(0, LATEST_MS));
    await this.#pool.killOne(this.#random);
  }
}
