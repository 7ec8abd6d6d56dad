import type { InboxPort, JobDefinition, UnknownProperties } from '@millrace/core';
import type { JobContext } from './job-context.js';

/** Who handles the jobs of one name. */
export interface JobRegistration {
  readonly definition: JobDefinition;
  /** For a job that says nothing itself. Default `refuse` */
  readonly unknownProperties?: UnknownProperties;
  /** Present: the handler runs inside a transaction with an inbox row, so that its SQL takes effect once a job. */
  readonly inbox?: InboxPort;
  /** The user's handler with everything that surrounds it. What it returns is not stored. */
  readonly handle: (payload: object, context: JobContext) => Promise<unknown>;
}

/** By job name. */
export type JobRegistrations = ReadonlyMap<string, JobRegistration>;
