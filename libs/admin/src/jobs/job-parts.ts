import type { QueueDirectory } from '@millrace/jobs';
import type { UseCaseParts } from '../parts.js';

/** The parts that the use cases of jobs work with. */
export interface JobParts extends Pick<UseCaseParts, 'mutations'> {
  readonly queues: QueueDirectory;
}

export interface QueueTarget {
  readonly queue: string;
}

export interface JobTarget extends QueueTarget {
  readonly job: string;
}
