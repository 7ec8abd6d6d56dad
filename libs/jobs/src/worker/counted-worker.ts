import { Worker } from 'bullmq';

/** BullMQ's worker, which knows whether jobs are in its hands: begun, and their outcome not yet taken by Redis. */
export class CountedWorker extends Worker {
  #inHand = 0;
  #onIdle: (() => void)[] = [];

  override async processJob(...given: Parameters<Worker['processJob']>): ReturnType<Worker['processJob']> {
    this.#inHand += 1;
    try {
      return await super.processJob(...given);
    } finally {
      this.#inHand -= 1;
      if (this.#inHand === 0) for (const heard of this.#onIdle.splice(0)) heard();
    }
  }

  /** Resolves when no job is in hand. */
  async idle(): Promise<void> {
    if (this.#inHand > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }
}
