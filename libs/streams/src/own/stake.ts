import type { GroupPartition } from '../consume/group-partition.js';
import { epochIn, type OwnerRecord } from './owner-record.js';
import type { Tenure } from './ownership-step.js';

/** A partition, as one member of its group has it. */
export class Stake {
  readonly place: GroupPartition;
  /** The last record that the member knows of. */
  record: OwnerRecord = { owner: '', epoch: '' };
  tenure: Tenure | null = null;
  /** The number of returns at which Redis confirmed the tenure. */
  confirmedAt = -1;
  /** Resolves when the user has finished with the last tenure that was revoked. */
  drain: Promise<void> = Promise.resolve();
  /** Whether the user knows of the last claim: its answer may be lost, or come too late. */
  isTold = false;
  /** The highest epoch that anybody is known to have had, also when Redis has lost it. */
  knownEpoch = 0;

  constructor(place: GroupPartition) {
    this.place = place;
  }

  learn(record: OwnerRecord): void {
    this.record = record;
    this.knownEpoch = Math.max(this.knownEpoch, epochIn(record));
  }
}
