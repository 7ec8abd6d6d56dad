import type { PayloadClass } from '../contract/topic.js';

/** A job that is validated and written, to be stored elsewhere and enqueued from there. */
export interface JobDraft {
  /** The first part of the id of the job: a UUID of version 7. */
  readonly id: string;
  readonly name: string;
  readonly queue: string;
  /** The payload as JSON text. */
  readonly payloadJson: string;
  /** All else that its queue stores with it, as JSON text; it makes the job unique, so that it may be enqueued again. */
  readonly optionsJson: string;
}

/** A draft, and how many milliseconds ago it was written: its delay counts from then. */
export interface AgedJobDraft {
  readonly draft: JobDraft;
  readonly ageMs: number;
}

export interface JobResult {
  readonly id: string;
  /** True when the idempotency key was known, so that nothing new was stored. */
  readonly duplicate: boolean;
}

/** The arguments of a caller for one job, and the place of the call, for errors. */
export interface GivenJob {
  readonly payload: object;
  readonly options: object;
  readonly where: string;
}

/** Writes jobs down and enqueues them later, also from another process. */
export interface JobPort {
  /**
   * It waits only for rules of the payload that take their time, and may throw at once.
   *
   * @throws MillraceError NOT_A_JOB, INVALID_OPTIONS, INVALID_PAYLOAD, UNSERIALIZABLE_PAYLOAD, PAYLOAD_TOO_LARGE
   */
  draft(job: PayloadClass, given: GivenJob): JobDraft | Promise<JobDraft>;

  /** Enqueues drafts of one queue in their order, and resolves to the outcome of each. It never rejects. */
  enqueueDrafts(queue: string, drafts: readonly AgedJobDraft[]): Promise<readonly (JobResult | Error)[]>;
}
