import { asError } from '@millrace/core';
import type { Feedback } from '../consume/feedback.js';
import type { GroupPartition } from '../consume/group-partition.js';

/**
 * Partitions that Redis has lost: a read has failed because a stream or a group is gone. A read fails so, too, while a key only
 * moves, so Redis is asked before a partition counts as lost.
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

  /** Asks Redis. Call it before the next read, which makes the member a reader even of a group that others made again. */
  async find(): Promise<void> {
    const answers = await Promise.all(this.#places.map((place) => this.#feedback.isLost(place)));
    this.#lost = this.#places.filter((_, index) => answers[index]);
  }

  /** Makes the lost partitions again. @returns why one of them cannot be made again, or null */
  async recover(): Promise<string | null> {
    const lost = this.#lost;
    this.#lost = [];
    const made = await Promise.allSettled(lost.map((place) => this.#feedback.recover(place)));
    const failed = made.findLast((result) => result.status === 'rejected');
    return failed ? asError(failed.reason).message : null;
  }
}
