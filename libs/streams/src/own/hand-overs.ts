import { emit, type EventMap } from '@millrace/core';
import type { GroupPartition } from '../consume/group-partition.js';

type Change = EventMap['ownership']['change'];

/** Says which partitions come to this member and go from it: each that came goes once. */
export class HandOvers {
  /** The partitions of which it was said that they came, and under which epoch. */
  readonly #epochs = new Map<GroupPartition, number>();

  assigned(place: GroupPartition, epoch: number): void {
    this.#epochs.set(place, epoch);
    say(place, epoch, 'assigned');
  }

  ended(place: GroupPartition, change: Exclude<Change, 'assigned'>): void {
    const epoch = this.#epochs.get(place);
    if (epoch === undefined) return;
    this.#epochs.delete(place);
    say(place, epoch, change);
  }
}

function say({ topic, group, partition }: GroupPartition, epoch: number, change: Change): void {
  emit('ownership', { topic, group, partition, epoch, change });
}
