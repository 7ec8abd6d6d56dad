import { eventChannel, type SendOutcome } from '@millrace/core';

const ENQUEUED = eventChannel('enqueued');

/** The end of one job's enqueue. */
interface EnqueuedJob {
  readonly name: string;
  readonly outcome: SendOutcome;
}

/** When an enqueue begins, by the monotonic clock, in milliseconds; 0 while nobody listens, and then nothing is told of it. */
export function enqueueBegins(): number {
  return ENQUEUED.hasSubscribers ? performance.now() : 0;
}

/** Tells observers how an enqueue has ended, by one event for each name and outcome. */
export function tellEnqueued(queue: string, jobs: Iterable<EnqueuedJob>, sinceMs: number): void {
  const counts = new Map<string, Map<SendOutcome, number>>();
  for (const { name, outcome } of jobs) {
    const ofName = counts.get(name) ?? new Map<SendOutcome, number>();
    counts.set(name, ofName.set(outcome, (ofName.get(outcome) ?? 0) + 1));
  }
  const tookMs = performance.now() - sinceMs;
  for (const [job, ofName] of counts) {
    for (const [outcome, count] of ofName) {
      ENQUEUED.publish({ queue, job, outcome, count, durationMs: outcome === 'invalid' ? 0 : tookMs });
    }
  }
}

/** @param result undefined where the job is not stored, as far as is known */
export function outcomeOf(result: { readonly duplicate: boolean } | Error | undefined): SendOutcome {
  if (result === undefined || result instanceof Error) return 'error';
  return result.duplicate ? 'duplicate' : 'ok';
}
