import { cutAt, type ErrorCode, isTooDeep, MAX_PAYLOAD_DEPTH } from '@millrace/core';
import type { Job } from 'bullmq';
import type { StoredJobOptions } from '../queue/outgoing-job.js';

/** The states of jobs, each with a list of its own. `prioritized`: due, with a priority; `waiting-children`: a parent. */
export const JOB_STATES = ['waiting', 'prioritized', 'active', 'delayed', 'waiting-children', 'completed', 'failed'] as const;

export type JobState = (typeof JOB_STATES)[number];

/** A job as it is stored. */
export interface JobRecord {
  readonly id: string;
  readonly name: string;
  readonly data: unknown;
  /** As BullMQ stored them. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly idempotencyKey: string | null;
  /** 0: none. */
  readonly priority: number;
  /** A number, or anything that the handler set. */
  readonly progress: unknown;
  /** When it was enqueued. */
  readonly addedAt: Date;
  /** When it becomes due; null when it had no delay, or waits for another attempt, whose moment is not stored with it. */
  readonly dueAt: Date | null;
  /** When its last attempt began; null before the first. */
  readonly startedAt: Date | null;
  /** When it completed, or failed for good; null before. */
  readonly finishedAt: Date | null;
  /** Attempts that failed or completed. */
  readonly attempts: number;
  /** As many as its options allow. */
  readonly mostAttempts: number;
  /** How often the process that had it vanished. */
  readonly stalled: number;
  /** The worker of its last attempt, where that has a name. */
  readonly worker: string | null;
  readonly error: string | null;
  /** Those of the last attempts that failed, the newest one last. */
  readonly stacks: readonly string[];
  readonly result: unknown;
  /** The scheduler that made it. */
  readonly scheduler: string | null;
  readonly parent: { readonly id: string; readonly queue: string } | null;
  /** `INVALID_PAYLOAD`: something in it nests deeper than 64 levels, and has `…` in place of the rest. Null: nothing does. */
  readonly problem: ErrorCode | null;
}

/** The record is one more than the data in it. */
const MOST_LEVELS = MAX_PAYLOAD_DEPTH + 1;

export function recordOf(job: Job): JobRecord {
  const record = wholeRecordOf(job);
  if (!isTooDeep(record, MOST_LEVELS)) return record;
  return { ...(cutAt(MOST_LEVELS, record) as JobRecord), problem: 'INVALID_PAYLOAD' };
}

function wholeRecordOf(job: Job): JobRecord {
  const { opts, progress, priority } = job;
  return {
    id: job.id ?? '', name: job.name, data: job.data as unknown, options: { ...opts }, priority, progress,
    idempotencyKey: (opts as StoredJobOptions).idempotencyKey ?? null,
    addedAt: new Date(job.timestamp), dueAt: dueAtOf(job), startedAt: dateOf(job.processedOn), finishedAt: dateOf(job.finishedOn),
    attempts: job.attemptsMade, mostAttempts: opts.attempts ?? 1, stalled: job.stalledCounter,
    worker: job.processedBy ?? null, error: job.failedReason ?? null, stacks: job.stacktrace ?? [],
    result: (job.returnvalue as unknown) ?? null, scheduler: job.repeatJobKey ?? null, parent: parentOf(job), problem: null,
  };
}

/** A delay of another attempt counts from the end of the one before. */
function dueAtOf({ delay, timestamp, attemptsMade, finishedOn }: Job): Date | null {
  return delay > 0 && attemptsMade === 0 && finishedOn === undefined ? new Date(timestamp + delay) : null;
}

function parentOf({ parent }: Job): JobRecord['parent'] {
  return parent ? { id: parent.id ?? '', queue: parent.queueKey } : null;
}

function dateOf(moment: number | undefined): Date | null {
  return moment ? new Date(moment) : null;
}
