import { type BreakerRule, emit, errorRecord, type ErrorRecord, Loop, type Outcome } from '@millrace/core';
import { CircuitState, CountBreaker } from 'cockatiel';
import type { Feedback } from '../consume/feedback.js';
import type { PendingDelivery } from '../consume/pending-delivery.js';
import type { BrokenMembers } from './broken-members.js';

export interface BreakerParts {
  readonly rule: BreakerRule;
  readonly topic: string;
  readonly group: string;
  readonly member: string;
  readonly broken: Pick<BrokenMembers, 'put' | 'has' | 'remove'>;
  readonly feedback: Pick<Feedback, 'failing' | 'trying' | 'mended'>;
}

type Failure = Extract<Outcome, { kind: 'retry' | 'dead-letter' }>;

/** So many messages are tried at once, and so many of them must succeed, or fail, to decide. */
const TRIED = 5;
const MAJORITY = 3;
/** Each trial that fails doubles the pause until the next one. A record is looked at so often at the least, which keeps it. */
const LONGEST_OPEN_MS = 60_000;
const SOON_MS = 1_000;
/** It takes so many calls at the least to open it. */
const CALLS = 4;
/** Timers end at 2^31 ms. */
const UNTIL_WOKEN_MS = 2 ** 31 - 1;

/**
 * Holds a member whose handler fails on nearly every message, so that a bad build or a dependency that is down does not turn the
 * backlog into dead letters.
 *
 *     closed            -- more of the last messages failed at their first attempt than the rule allows --> open
 *     open              -- the pause is over --> half-open
 *     half-open         -- three of the messages that it tries succeed --> closed; three fail --> open, for twice as long
 *     open, half-open   -- an operator resumes the group --> closed
 *
 * While it is not closed, a message that fails waits for the next trial, and its attempt does not count. Each member has its own:
 * where a release reaches one process after the other, those that work go on.
 */
export class Breaker {
  readonly #parts: BreakerParts;
  readonly #window: CountBreaker;
  readonly #loop: Loop;
  readonly #mostOfACall: number;
  #state: 'closed' | 'open' | 'half-open' = 'closed';
  /** The state that the member was told last. */
  #told: 'closed' | 'open' | 'half-open' = 'closed';
  #isRecorded = false;
  #openForMs: number;
  /** By the monotonic clock. */
  #trialAtMs = 0;
  #closedAtMs = Number.NEGATIVE_INFINITY;
  #sinceMs = 0;
  #error: ErrorRecord | null = null;
  #good = 0;
  #bad = 0;

  constructor(parts: BreakerParts) {
    const { rule: { threshold, messages, openForMs }, topic, group } = parts;
    this.#parts = parts;
    this.#openForMs = openForMs;
    this.#mostOfACall = Math.ceil(messages / CALLS);
    this.#window = new CountBreaker({ threshold, size: messages });
    this.#loop = new Loop({
      name: 'breaker',
      round: () => this.#round(),
      onError: (error, failures) => emit('loop-failed', { topic, group, loop: 'breaker', error: errorRecord(error), failures }),
    });
  }

  /** Why the member takes no messages, or null while it does. */
  problem(): string | null {
    if (this.#state === 'closed') return null;
    return `${this.#summary}, the latest with ${describe(this.#error!)}. It is paused, and tries up to ${TRIED} messages each ` +
      `${Math.ceil(this.#openForMs / 1_000)} s; no attempt counts meanwhile. To resume the group ends it at once`;
  }

  /**
   * Looks at the outcomes of one call of the handler. A batch fails as a whole for one bad message, so no call fills the window.
   *
   * @returns the outcomes to settle
   */
  judge(deliveries: readonly PendingDelivery[], outcomes: readonly Outcome[]): readonly Outcome[] {
    if (this.#state === 'closed') {
      this.#countAll(deliveries, outcomes);
      return outcomes;
    }
    // One that was tried makes way for others in the next trial; one that was at work before may go to a member that works.
    const delayMs = this.#state === 'half-open' ? this.#openForMs : SOON_MS;
    for (const outcome of outcomes) if (this.#state === 'half-open') this.#countTrial(outcome);
    return outcomes.map((outcome) => (isFailure(outcome) ? waiting(outcome, delayMs) : outcome));
  }

  /** An operator may have resumed the group. */
  wake(): void {
    if (this.#state !== 'closed') this.#loop.wake();
  }

  async stop(): Promise<void> {
    await this.#loop.stop();
    await this.#forget().catch(() => undefined);
  }

  get #summary(): string {
    const { threshold, messages } = this.#parts.rule;
    return `more than ${Math.round(threshold * 100)} % of the last ${messages} messages failed at their first attempt`;
  }

  #countAll(deliveries: readonly PendingDelivery[], outcomes: readonly Outcome[]): void {
    const counted = Math.min(deliveries.length, this.#mostOfACall);
    for (let index = 0; index < counted && this.#state === 'closed'; index += 1) {
      this.#count(outcomes[index]!, deliveries[index]!.attempt);
    }
  }

  /** Messages that always fail come again when all others are done: their later attempts tell nothing new. */
  #count(outcome: Outcome, attempt: number): void {
    if (isWork(outcome)) this.#window.success(CircuitState.Closed);
    else if (isFailure(outcome) && attempt === 1 && this.#window.failure(CircuitState.Closed)) this.#trip(outcome);
  }

  /** Soon after it closed the pauses go on to grow. */
  #trip(failure: Failure): void {
    const isNew = performance.now() - this.#closedAtMs > LONGEST_OPEN_MS;
    this.#openForMs = isNew ? this.#parts.rule.openForMs : longer(this.#openForMs);
    this.#sinceMs = Date.now();
    this.#open(failure);
    this.#loop.start();
  }

  #open({ error }: Failure): void {
    this.#state = 'open';
    this.#error = error;
    this.#trialAtMs = performance.now() + this.#openForMs;
    this.#loop.wake();
  }

  #countTrial(outcome: Outcome): void {
    if (isWork(outcome)) this.#good += 1;
    else if (isFailure(outcome)) this.#bad += 1;
    if (this.#good >= MAJORITY) this.#close();
    else if (isFailure(outcome) && this.#bad >= MAJORITY) {
      this.#openForMs = longer(this.#openForMs);
      this.#open(outcome);
    }
  }

  #close(): void {
    this.#state = 'closed';
    this.#closedAtMs = performance.now();
    // It begins anew with this one.
    this.#window.success(CircuitState.HalfOpen);
    this.#loop.wake();
  }

  async #round(): Promise<number> {
    if (this.#state === 'closed') return this.#letGo();
    if (this.#state === 'open' && this.#told !== 'open') await this.#hold();
    if (!this.#isRecorded) await this.#record();
    else if (!(await this.#parts.broken.has(this.#parts.member))) this.#close();
    return this.#untilNextMs();
  }

  async #hold(): Promise<void> {
    if (this.#told === 'closed') this.#report('open');
    this.#told = 'open';
    await this.#parts.feedback.failing();
  }

  #untilNextMs(): number {
    if (this.#state === 'closed') return 0;
    if (this.#state === 'half-open') return LONGEST_OPEN_MS;
    const leftMs = this.#trialAtMs - performance.now();
    if (leftMs > 0) return leftMs;
    this.#try();
    return LONGEST_OPEN_MS;
  }

  #try(): void {
    this.#state = 'half-open';
    this.#told = 'half-open';
    this.#good = 0;
    this.#bad = 0;
    this.#parts.feedback.trying(TRIED);
  }

  async #letGo(): Promise<number> {
    if (this.#told !== 'closed') {
      this.#told = 'closed';
      this.#report('closed');
      this.#parts.feedback.mended();
    }
    await this.#forget();
    return UNTIL_WOKEN_MS;
  }

  async #record(): Promise<void> {
    const { broken, member } = this.#parts;
    await broken.put(member, { sinceMs: this.#sinceMs, why: this.#summary, error: describe(this.#error!) });
    this.#isRecorded = true;
  }

  async #forget(): Promise<void> {
    if (!this.#isRecorded) return;
    await this.#parts.broken.remove(this.#parts.member);
    this.#isRecorded = false;
  }

  #report(state: 'open' | 'closed'): void {
    const { topic, group } = this.#parts;
    emit('breaker', { topic, group, state, why: this.#summary, error: this.#error! });
  }
}

/** The handler ran, and did what it was written to do: one that gives a message up, or wants it later, works. */
function isWork(outcome: Outcome): boolean {
  switch (outcome.kind) {
    case 'ack':
      return !outcome.filtered && !outcome.expired && !outcome.deduplicated;
    case 'retry':
      return outcome.isAskedFor === true;
    case 'dead-letter':
      return outcome.reason === 'DEAD_LETTERED_BY_HANDLER' || outcome.reason === 'DEAD_LETTER_ON';
    default:
      return false;
  }
}

/** A failure that nobody asked for. */
function isFailure(outcome: Outcome): outcome is Failure {
  const isFailed = outcome.kind === 'dead-letter' || (outcome.kind === 'retry' && !outcome.sameAttempt);
  return isFailed && !isWork(outcome);
}

/** It comes again with the next trial, or later, as the same attempt. */
function waiting({ error }: Failure, delayMs: number): Outcome {
  return { kind: 'retry', delayMs, error, sameAttempt: true };
}

function longer(openForMs: number): number {
  return Math.min(openForMs * 2, LONGEST_OPEN_MS);
}

const LONGEST_SHOWN = 500;

function describe({ name, message }: ErrorRecord): string {
  return `${name}: ${message}`.slice(0, LONGEST_SHOWN);
}
