import { setMaxListeners } from 'node:events';
import type { MillraceError } from '@millrace/core';
import { ActiveJob, type HeldJob, type HoldingTerms } from './active-job.js';

export interface ActiveJobsParts extends Pick<HoldingTerms, 'lockMs' | 'lockLost'> {
  /** Jobs that this process handles at once. */
  readonly concurrency: number;
  /** The time after which a handler that is still at work counts as stuck. */
  readonly stuckAfterMs: number;
}

/** A job whose handler does not end. */
export interface StuckJob {
  /** The job's name, as `@Job` has it. */
  readonly name: string;
  readonly id: string;
  /** When its handler began, by the clock of this process. */
  readonly since: Date;
}

/** So many jobs are enough to find the mistake. */
const MOST_NAMED = 10;

/** The jobs that handlers of this process work on. */
export class ActiveJobs {
  readonly #parts: ActiveJobsParts;
  readonly #jobs = new Set<ActiveJob>();
  /** The last holding of each job: an earlier one is over. */
  readonly #last = new Map<string, ActiveJob>();
  /** Jobs whose attempt is over and whose handlers have not ended. */
  readonly #overdue = new Set<ActiveJob>();
  readonly #holding = new AbortController();
  readonly #terms: HoldingTerms;
  /** The moment since which every slot was taken without one handler ending, by the monotonic clock; null while one is free. */
  #fullSinceMs: number | null = null;

  constructor(parts: ActiveJobsParts) {
    this.#parts = parts;
    const { lockMs, lockLost } = parts;
    const { signal: paused } = this.#holding;
    this.#terms = { paused, lockMs, lockLost };
    // As many jobs listen to it as are at work.
    setMaxListeners(0, paused);
  }

  /** Keeps the job within reach until it {@link end}s. It is given up already once {@link refuse} was called. */
  begin(job: HeldJob): ActiveJob {
    const { paused } = this.#terms;
    // The job came again, so an earlier hold on it is over, whether or not BullMQ reported that.
    this.#last.get(job.id)?.lost();
    const active = new ActiveJob(job, this.#terms);
    if (paused.aborted) active.revoke(paused.reason as MillraceError);
    this.#jobs.add(active);
    this.#last.set(job.id, active);
    if (this.#jobs.size >= this.#parts.concurrency) this.#fullSinceMs ??= performance.now();
    return active;
  }

  /** The attempt is over. */
  end(active: ActiveJob): void {
    this.#jobs.delete(active);
    if (active.isHandled) this.#overdue.add(active);
    if (this.#last.get(active.id) === active) this.#last.delete(active.id);
    this.#fullSinceMs = null;
  }

  /** Its handler has ended, which may be later than its attempt. */
  handled(active: ActiveJob): void {
    active.isHandled = false;
    this.#overdue.delete(active);
  }

  /** From now on no job is begun. BullMQ may fetch one more after it was paused: a fetch that was under way. */
  refuse(reason: MillraceError): void {
    this.#holding.abort(reason);
  }

  renewed(ids: readonly string[]): void {
    for (const id of ids) this.#last.get(id)?.renewed();
  }

  /** Gives up jobs whose locks belong to others by now. */
  lost(ids: readonly string[]): void {
    for (const id of ids) this.#last.get(id)?.lost();
  }

  revokeAll(reason: MillraceError): void {
    for (const active of this.#jobs) active.revoke(reason);
  }

  /** Those whose handlers do not end, the ones at work longest first, ten at the most: past their attempt, or for too long. */
  stuck(): StuckJob[] {
    const { stuckAfterMs } = this.#parts;
    const atWork = [...this.#jobs].filter((active) => active.isHandled && active.ageMs > stuckAfterMs);
    const stuck = [...this.#overdue, ...atWork].sort((one, other) => other.ageMs - one.ageMs);
    return stuck.slice(0, MOST_NAMED).map(({ name, id, begunAt: since }) => ({ name, id, since }));
  }

  /** Why no job gets on, or null while they do. */
  problem(): string | null {
    const { concurrency, stuckAfterMs } = this.#parts;
    const fullMs = this.#fullSinceMs === null ? 0 : performance.now() - this.#fullSinceMs;
    const [first] = this.#jobs;
    if (!first || fullMs <= stuckAfterMs) return null;
    const all = `all ${concurrency} handlers have been at work for ${Math.floor(fullMs / 1_000)} s and none has ended`;
    return `${all}, that of job '${first.name}' (${first.id}) since ${first.begunAt.toISOString()}: give them a timeout`;
  }
}
