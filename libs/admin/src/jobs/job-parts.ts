import { assertName, MillraceError } from '@millrace/core';
import type { QueueDirectory } from '@millrace/jobs';
import { partsOf } from '../page/cursor.js';
import type { UseCaseParts } from '../parts.js';

/** The parts that the use cases of jobs work with. */
export interface JobParts extends UseCaseParts {
  readonly queues: QueueDirectory;
}

export interface QueueTarget {
  readonly queue: string;
}

export interface JobTarget extends QueueTarget {
  readonly job: string;
}

/** @throws MillraceError INVALID_OPTIONS, INVALID_NAME */
export function assertQueueTarget(target: unknown): asserts target is QueueTarget {
  const parts = partsOf(target);
  if (parts === null) {
    throw new MillraceError('INVALID_OPTIONS', 'The target must be an object: { queue }, and { queue, job } for what is done to a job.');
  }
  assertName('queue', parts['queue']);
}
