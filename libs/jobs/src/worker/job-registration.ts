import type { InboxPort, JobDefinition, LedgerUse, MemoPort, UnknownProperties } from '@millrace/core';
import type { JobContext } from './job-context.js';

/** The handler of the jobs of one name. */
export interface JobRegistration {
  readonly definition: JobDefinition;
  /** For a job that says nothing itself. Default `refuse` */
  readonly unknownProperties?: UnknownProperties;
  /** Present: the handler runs inside a transaction with an inbox row, so that its SQL takes effect once a job. */
  readonly inbox?: InboxPort;
  /** Present: jobs with the same key are handled once, as the ledger of the job knows. */
  readonly idempotency?: JobIdempotency;
  /** Remembers the results of `ctx.once`. Absent: it cannot be used. */
  readonly memo?: MemoPort;
  /** How long one attempt may take; null or absent for as long as it likes. */
  readonly timeoutMs?: number | null;
  /** The user's handler with everything that surrounds it. Its result is stored as the job's return value. */
  readonly handle: (payload: object, context: JobContext) => Promise<unknown>;
}

/** The ledger of a job, and the key of each. */
export interface JobIdempotency extends Pick<LedgerUse, 'ledger' | 'holder'> {
  /** Absent: the id of the job. */
  readonly keyOf?: ((payload: object, context: JobContext) => unknown) | undefined;
}

/** The registrations by job name. */
export type JobRegistrations = ReadonlyMap<string, JobRegistration>;
