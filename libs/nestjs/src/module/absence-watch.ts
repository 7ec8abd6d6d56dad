import { Inject, Injectable, Logger } from '@nestjs/common';
import { emit, errorRecord, Loop } from '@millrace/core';
import { type JobCounts, JobQueue } from '@millrace/jobs';
import { Inspector } from '@millrace/streams';
import type { Settings } from '../config/settings.js';
import type { HandlerPlan, SubscriptionPlan } from '../explore/plan.js';
import { Queues } from '../jobs/queues.js';
import { SETTINGS } from './tokens.js';

/** After this many leases without a sign of life, the silence is no restart any more. */
const LEASES = 4;

/**
 * Logs when no process runs the groups and queues that the application declares and this process leaves to others: once, and
 * again when they were run meanwhile.
 */
@Injectable()
export class AbsenceWatch {
  readonly #inspector: Inspector;
  readonly #queues: Queues;
  readonly #jobs: JobQueue;
  readonly #waitMs: number;
  readonly #logged = new Set<string>();
  readonly #counts = new Map<string, JobCounts>();
  #mayLog = false;
  #loop: Loop | null = null;

  constructor(inspector: Inspector, queues: Queues, jobs: JobQueue, @Inject(SETTINGS) { leaseMs }: Settings) {
    this.#inspector = inspector;
    this.#queues = queues;
    this.#jobs = jobs;
    this.#waitMs = LEASES * leaseMs;
  }

  start({ elsewhere: { subscriptions, jobs } }: HandlerPlan): void {
    const queues = [...new Set(jobs.map(({ job }) => job.queue))].filter((queue) => this.#queues.has(queue));
    if (subscriptions.length + queues.length === 0) return;
    this.#loop = new Loop({
      name: 'absence',
      round: () => this.#look(subscriptions, queues),
      onError: (error, failures) => emit('loop-failed', { loop: 'absence', error: errorRecord(error), failures }),
    });
    this.#loop.start();
  }

  /** A check that is under way ends by itself: while Redis is away that takes seconds, and nobody needs its answer. */
  stop(): void {
    void this.#loop?.stop();
  }

  /** At the start other processes may be starting, too, so nothing is logged before the second check. */
  async #look(subscriptions: readonly SubscriptionPlan[], queues: readonly string[]): Promise<number> {
    await Promise.all(subscriptions.map((plan) => this.#lookAtGroup(plan)));
    await Promise.all(queues.map((queue) => this.#lookAtQueue(queue)));
    this.#mayLog = true;
    return this.#waitMs;
  }

  async #lookAtGroup({ topic, group }: SubscriptionPlan): Promise<void> {
    const silentMs = await this.#inspector.silentMs(topic, group);
    const isAbsent = silentMs === null || silentMs > this.#waitMs;
    this.#report(`Group '${group}' of topic '${topic.name}'`, isAbsent, 'its messages wait. Start a process that runs it (MILLRACE_GROUPS).');
  }

  /** Jobs wait, and none is begun or finished from one look to the next. */
  async #lookAtQueue(queue: string): Promise<void> {
    const before = this.#counts.get(queue);
    const now = await this.#jobs.counts(queue);
    this.#counts.set(queue, now);
    const isAbsent = before !== undefined && isIdle(before) && isIdle(now) && doneIn(before) === doneIn(now);
    this.#report(`Queue '${queue}'`, isAbsent, `${now.waiting} jobs wait. Start a process that works on it (MILLRACE_QUEUES).`);
  }

  #report(what: string, isAbsent: boolean, mend: string): void {
    if (!isAbsent) return void this.#logged.delete(what);
    if (!this.#mayLog || this.#logged.has(what)) return;
    this.#logged.add(what);
    new Logger('Millrace').warn(`${what} has handlers in this application and runs in no process since ${this.#waitMs / 1_000} s: ${mend}`);
  }
}

function isIdle({ waiting, active }: JobCounts): boolean {
  return waiting > 0 && active === 0;
}

function doneIn({ completed, failed, delayed }: JobCounts): string {
  return [completed, failed, delayed].join();
}
