import { setTimeout } from 'node:timers/promises';
import { type DeadLetterDelivery, type DeadLetterHandler, emit, errorRecord, Lease, MillraceError, type Outcome } from '@millrace/core';
import { deadLetterId, type DeadLetterReason } from '../consume/dead-letter-reason.js';
import { messageOfEnvelope } from '../log/envelope.js';
import { reasonIn } from '../redeliver/stored-dead-letter.js';
import type { UnreportedLetter, UnreportedLetters } from './unreported-letters.js';

/** Timers end at 2^31 ms: a longer one would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;

export interface HookCallParts {
  readonly letters: UnreportedLetters;
  readonly handler: DeadLetterHandler;
  /** A dead letter with this many crashes is not reported any more. */
  readonly crashLimit: number;
  /** Resolves when a handler may begin here. */
  readonly mayBegin: () => Promise<void>;
  /** Called when an attempt has ended and Redis knows of it. */
  readonly attemptEnded: () => void;
}

/**
 * Reports one dead letter to the handler of dead letters:
 *
 *     waiting -> at work -> reported
 *        ^          |-----> failed      after the last attempt
 *        '-back-off-'
 *
 * It ends in any state when it was given up, or when another member holds the dead letter: then nothing changes in Redis.
 */
export class HookCall {
  readonly letter: UnreportedLetter;
  readonly #parts: HookCallParts;
  readonly #lease = new Lease();
  readonly #end = new AbortController();
  #atWorkSince: number | null = null;

  constructor(letter: UnreportedLetter, parts: HookCallParts) {
    this.letter = letter;
    this.#parts = parts;
  }

  get isAtWork(): boolean {
    return this.#atWorkSince !== null;
  }

  /** How long the present attempt has taken, in milliseconds; 0 while there is none. */
  get atWorkMs(): number {
    return this.#atWorkSince === null ? 0 : performance.now() - this.#atWorkSince;
  }

  /** Ends the call, and ignores the result of its handler. */
  giveUp(reason: MillraceError): void {
    this.#lease.giveUp(reason);
    this.#end.abort();
  }

  /** Resolves when the dead letter is reported, has failed, or was given up. Never rejects. */
  async run(): Promise<void> {
    for (let attempt = 1; !this.#lease.isGivenUp; attempt += 1) {
      await this.#parts.mayBegin();
      if (this.#lease.isGivenUp || (attempt > 1 && !(await this.#isHeld()))) return;
      this.#atWorkSince = performance.now();
      const outcome = await this.#attempt(attempt);
      const delayMs = outcome.kind === 'retry' ? outcome.delayMs : null;
      if (delayMs === null && outcome.kind !== 'release') await this.#settle(outcome.kind === 'ack' ? 'reported' : 'failed');
      this.#atWorkSince = null;
      this.#parts.attemptEnded();
      if (delayMs === null) return;
      await this.#pause(Math.min(delayMs, LONGEST_TIMER_MS));
    }
  }

  async #attempt(attempt: number): Promise<Outcome> {
    const { fields, crashes } = this.letter;
    const { envelope, reason } = reasonIn(fields);
    // An entry that is no dead letter is not reported.
    if (envelope === undefined || reason === null) return { kind: 'ack' };
    const delivery = this.#deliveryOf({ envelope, reason, attempt });
    const outcome = crashes >= this.#parts.crashLimit ? crashLoop(crashes) : await this.#parts.handler(delivery).catch(defect);
    this.#reportFailure(delivery, outcome);
    return outcome;
  }

  #deliveryOf({ envelope, reason: stored, attempt }: Stored): DeadLetterDelivery {
    const { partition: place, id, crashes } = this.letter;
    const { topic, partition, group } = place;
    const { reason, error, attempts, crashes: ofMessage, firstFailedAt, deadLetteredAt } = stored;
    const lease = this.#lease;
    return {
      message: messageOfEnvelope(envelope),
      topic, partition, group, offset: stored.origin.offset, attempt, crashes, lease, replayed: false,
      deadLetter: { id: deadLetterId(partition, id), reason, error, attempts, crashes: ofMessage, firstFailedAt, deadLetteredAt },
      get signal() {
        return lease.signal;
      },
    };
  }

  #reportFailure({ message, topic, partition, group, attempt }: DeadLetterDelivery, outcome: Outcome): void {
    if (outcome.kind === 'ack' || outcome.kind === 'release') return;
    const failed = { topic, partition, group, messageId: message.id, attempt, error: outcome.error };
    if (outcome.kind === 'retry') emit('hook-failed', { ...failed, outcome: 'retry', delayMs: outcome.delayMs });
    else emit('hook-failed', { ...failed, outcome: 'given-up' });
  }

  /** Whether it was neither removed nor taken over. Without an answer the handler is called once more. */
  #isHeld(): Promise<boolean> {
    return this.#parts.letters.has(this.letter).catch(() => true);
  }

  /** Tries until Redis has stored the result. */
  async #settle(how: 'reported' | 'failed'): Promise<void> {
    const { topic, partition, group } = this.letter.partition;
    for (let failures = 0; !this.#lease.isGivenUp; ) {
      try {
        await this.#parts.letters.settle(this.letter, how);
        return;
      } catch (thrown) {
        failures += 1;
        emit('loop-failed', { topic, partition, group, loop: 'hook', error: errorRecord(thrown), failures });
        await this.#pause(Math.min(FIRST_PAUSE_MS * 2 ** (failures - 1), LONGEST_PAUSE_MS));
      }
    }
  }

  async #pause(ms: number): Promise<void> {
    await setTimeout(ms, undefined, { signal: this.#end.signal }).catch(() => undefined);
  }
}

interface Stored {
  readonly envelope: string;
  readonly reason: DeadLetterReason;
  readonly attempt: number;
}

function crashLoop(crashes: number): Outcome {
  const message = `The process that handled this dead letter vanished ${crashes} times. It is not handled any more; the dead letter stays.`;
  return { kind: 'dead-letter', reason: 'CRASH_LOOP', error: errorRecord(new MillraceError('CRASH_LOOP', message)) };
}

function defect(thrown: unknown): Outcome {
  return { kind: 'dead-letter', reason: 'HANDLER_DEFECT', error: errorRecord(thrown) };
}
