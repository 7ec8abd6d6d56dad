import { setTimeout as pause } from 'node:timers/promises';
import { asError, backoffDelayMs, emit, errorRecord, LOOP_BACKOFF, type PartitionListeners } from '@millrace/core';
import type { GroupPartition } from '../consume/group-partition.js';

/** The time in which a member owns a partition, as the user is told of it. */
class Tenure {
  readonly epoch: number;
  /** Aborts when the member is to give the partition up, or has lost it. */
  readonly over = new AbortController();
  isLost = false;
  /** Whether the user knows of it, and so is to hear of its end. */
  isTold = false;
  /** Resolves when the user has been told of the end. */
  end: Promise<void> | null = null;

  constructor(epoch: number) {
    this.epoch = epoch;
  }
}

/**
 * Tells the user of a partition that it is this member's, and that it is no more: one call after the other, in pairs. A tenure
 * that is over before the user could be told of it is passed over.
 */
export class PartitionListener {
  readonly #place: GroupPartition;
  readonly #listeners: PartitionListeners;
  #tenure: Tenure | null = null;
  #calls: Promise<void> = Promise.resolve();
  #problem: string | null = null;

  constructor(place: GroupPartition, listeners: PartitionListeners) {
    this.#place = place;
    this.#listeners = listeners;
  }

  problem(): string | null {
    return this.#problem;
  }

  /** @param open called when the user is ready, unless the tenure is over by then */
  assigned(epoch: number, open: () => void): void {
    const tenure = new Tenure(epoch);
    this.#tenure = tenure;
    this.#calls = this.#calls.then(() => this.#begin(tenure, open));
  }

  /**
   * Resolves when the user has been told.
   *
   * @param drained resolves when nothing of the partition is in flight
   */
  async revoked(drained: Promise<void>): Promise<void> {
    const tenure = this.#tenure;
    tenure?.over.abort();
    await drained;
    if (tenure) await this.#end(tenure);
  }

  lost(): void {
    if (!this.#tenure) return;
    this.#tenure.isLost = true;
    this.#tenure.over.abort();
    void this.#end(this.#tenure);
  }

  async #begin(tenure: Tenure, open: () => void): Promise<void> {
    const { signal } = tenure.over;
    let isReady = false;
    for (let failures = 0; !isReady && !signal.aborted; failures += 1) {
      tenure.isTold = true;
      isReady = await this.#tell('onAssigned', () => this.#listeners.onAssigned?.(this.#partitionOf(tenure)), failures);
      // It rejects when the tenure is over.
      if (!isReady) await pause(backoffDelayMs(LOOP_BACKOFF, failures + 1), undefined, { signal }).catch(() => undefined);
    }
    this.#problem = null;
    if (!signal.aborted) open();
  }

  #end(tenure: Tenure): Promise<void> {
    tenure.end ??= this.#calls = this.#calls.then(() => this.#finish(tenure));
    return tenure.end;
  }

  async #finish(tenure: Tenure): Promise<void> {
    if (!tenure.isTold) return;
    await this.#tell('onRevoked', () => this.#listeners.onRevoked?.({ ...this.#partitionOf(tenure), lost: tenure.isLost }), 0);
  }

  /** @returns false when the user threw */
  async #tell(loop: keyof PartitionListeners, call: () => void | Promise<void>, failures: number): Promise<boolean> {
    try {
      await call();
      return true;
    } catch (thrown) {
      const { topic, partition, group } = this.#place;
      if (loop === 'onAssigned') this.#problem = `partition ${partition} is not read, since onAssigned fails: ${asError(thrown).message}`;
      emit('loop-failed', { topic, partition, group, loop, error: errorRecord(thrown), failures: failures + 1 });
      return false;
    }
  }

  #partitionOf({ epoch }: Tenure): { topic: string; partition: number; group: string; epoch: number } {
    const { topic, partition, group } = this.#place;
    return { topic, partition, group, epoch };
  }
}
