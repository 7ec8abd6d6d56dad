import type { Outcome } from '@millrace/core';
import type { GroupPartition } from '../consume/group-partition.js';
import type { HeldEntries } from '../consume/held-entries.js';
import type { HeldEntry } from '../consume/held-entry.js';
import type { InPlace } from '../consume/in-place.js';
import type { PendingDelivery } from '../consume/pending-delivery.js';
import type { AttemptRecords } from './attempt-records.js';
import type { LaneQueue } from './lane-queue.js';
import type { OwnedPartition } from './owned-partition.js';

export interface InPlaceHandlingParts {
  readonly queue: LaneQueue;
  readonly held: HeldEntries;
  readonly attempts: AttemptRecords;
  readonly partitions: ReadonlyMap<GroupPartition, OwnedPartition>;
}

type Retry = Extract<Outcome, { kind: 'retry' }>;

/** Messages of an ordered group that are not done: they stay with the owner of the partition, and their lane waits. */
export class InPlaceHandling implements InPlace {
  readonly queue: LaneQueue;
  readonly #parts: InPlaceHandlingParts;

  constructor(parts: InPlaceHandlingParts) {
    this.queue = parts.queue;
    this.#parts = parts;
  }

  keep(delivery: PendingDelivery, outcome: Outcome): boolean {
    if (outcome.kind === 'release') this.release([delivery]);
    else if (outcome.kind === 'retry') this.#retry(delivery, outcome);
    else return false;
    return true;
  }

  /** The lanes are dropped first: what follows a message in its lane must not begin before it. */
  release(deliveries: readonly PendingDelivery[]): void {
    const { held } = this.#parts;
    for (const { entry } of deliveries) this.#partitionOf(entry).restart();
    for (const delivery of deliveries) {
      held.settled(delivery.entry);
      this.queue.settled(delivery);
    }
  }

  #retry(delivery: PendingDelivery, { delayMs, sameAttempt }: Retry): void {
    const attempt = sameAttempt ? delivery.attempt : delivery.attempt + 1;
    const next = delivery.with({ attempt, firstFailedAt: delivery.firstFailedAt ?? Date.now() });
    next.notBeforeMs = performance.now() + delayMs;
    void this.#parts.attempts.keep(next, delayMs);
    const mayStay = this.#partitionOf(delivery.entry).isOpen && !delivery.entry.isGivenUp;
    if (mayStay) this.queue.retry(delivery, next);
    else this.release([delivery]);
  }

  #partitionOf({ stream }: HeldEntry): OwnedPartition {
    return this.#parts.partitions.get(stream.partition)!;
  }
}
