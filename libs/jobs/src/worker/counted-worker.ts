import { type Job, Worker } from 'bullmq';

/** The timestamp of a lock that is to be renewed at the next renewal. */
const LONG_AGO = 1;

/** BullMQ's worker, which counts its jobs: those that have begun, and whose outcome Redis has not taken yet. */
export class CountedWorker extends Worker {
  #inHand = 0;
  #onIdle: (() => void)[] = [];
  /** By job id, the token under which the job came last. */
  readonly #tokens = new Map<string, string>();

  override async processJob(job: Job, token: string, fetchNext?: () => boolean): ReturnType<Worker['processJob']> {
    const { id = '' } = job;
    this.#inHand += 1;
    this.#tokens.set(id, token);
    try {
      return await super.processJob(job, token, fetchNext);
    } finally {
      this.#ended(id, token);
      this.#inHand -= 1;
      if (this.#inHand === 0) for (const heard of this.#onIdle.splice(0)) heard();
    }
  }

  /**
   * Without BullMQ's pause after an error, 5 seconds that nothing ends: a process that stops would stay for as long. The check
   * for stalled jobs, which alone comes here, has a pause of its own.
   */
  protected override checkConnectionError<T>(check: () => Promise<T>): Promise<T | undefined> {
    return super.checkConnectionError(check, 0);
  }

  /** Resolves when no job is in hand. */
  async idle(): Promise<void> {
    if (this.#inHand > 0) await new Promise<void>((resolve) => this.#onIdle.push(resolve));
  }

  /**
   * A job whose lock was lost may come again while its first handler is still at work. When that ends, BullMQ renews the lock
   * of this id no longer, though it is the second one's by then: that would be lost, too, and so on until a crash loop.
   */
  #ended(id: string, token: string): void {
    const last = this.#tokens.get(id);
    if (last === token) this.#tokens.delete(id);
    else if (last !== undefined) this.lockManager.trackJob(id, last, LONG_AGO);
  }
}
