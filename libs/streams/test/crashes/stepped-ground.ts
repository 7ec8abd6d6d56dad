import { uniqueName } from '@millrace/testing';
import { Ground } from '../ground.js';
import { startSteppedRedis, type SteppedRedis } from './stepped-redis.js';

/** A Redis whose wall clock can be stepped, where there is a C compiler. It loses nothing that it has confirmed. */
export class SteppedGround extends Ground {
  #stepped!: SteppedRedis;

  constructor() {
    super({ appendonly: 'always' });
    this.prefix = uniqueName('stepped');
  }

  /** Sets the clock forward, or back by less than 0. */
  stepClock(ms: number): Promise<void> {
    return this.#stepped.step(ms);
  }

  protected override async startServers(): Promise<void> {
    this.server = this.#stepped = await startSteppedRedis(this.options);
  }
}
