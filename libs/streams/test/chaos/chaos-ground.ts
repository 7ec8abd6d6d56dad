import { uniqueName } from '@millrace/testing';
import { compiler, startSteppedRedis, type SteppedRedis } from '../crashes/stepped-redis.js';
import { Ground } from '../ground.js';

/** The clock of Redis is never further aside: a retry that waits becomes due when the clock has caught up. */
const FURTHEST_MS = 5_000;

/** A Redis that loses nothing that it has confirmed. Its wall clock can be stepped where there is a C compiler. */
export class ChaosGround extends Ground {
  #stepped: SteppedRedis | null = null;
  #asideMs = 0;

  constructor() {
    super({ appendonly: 'always' });
    this.prefix = uniqueName('chaos');
  }

  get canStep(): boolean {
    return compiler !== null;
  }

  /** Sets the wall clock of Redis to up to 5 s before or after the true time. */
  async stepClock(random: () => number): Promise<void> {
    const asideMs = Math.round((random() * 2 - 1) * FURTHEST_MS);
    await this.#stepped?.step(asideMs - this.#asideMs);
    this.#asideMs = asideMs;
  }

  protected override async startServers(): Promise<void> {
    if (!this.canStep) return super.startServers();
    this.server = this.#stepped = await startSteppedRedis(this.options);
  }
}
