import { asError } from '@millrace/core';
import type { Feedback } from '../consume/feedback.js';
import type { GroupPartition } from '../consume/group-partition.js';

/**
 * Partitions that Redis has lost, as a read says that fails for a stream or a group which is gone. A read says so too when a
 * key only moves, so Redis is asked before anything counts as lost.
 */
export class LostPartitions {
  readonly #places: readonly GroupPartition[];
  readonly #feedback: Pick<Feedback, 'isLost' | 'recover'>;
  #lost: readonly GroupPartition[] = [];

  constructor(places: readonly GroupPartition[], feedback: Pick<Feedback, 'isLost' | 'recover'>) {
    this.#places = places;
    this.#feedback = feedback;
  }

  get isEmpty(): boolean {
    return this.#lost.length === 0;
  }

  /** Asks Redis. To be done before the next read: that makes the member a reader, also of a group that others made again. */
  async find(): Promise<void> {
    const answers = await Promise.all(this.#places.map((place) => this.#feedback.isLost(place)));
    this.#lost = this.#places.filter((_, index) => answers[index]);
  }

  /** Makes them again. @returns why one of them cannot be made again, or null */
  async recover(): Promise<string | null> {
    const lost = this.#lost;
    this.#lost = [];
    const made = await Promise.allSettled(lost.map((place) => this.#feedback.recover(place)));
    const failed = made.findLast((result) => result.status === 'rejected');
    return failed ? asError(failed.reason).message : null;
  }
}
