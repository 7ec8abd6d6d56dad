import { setTimeout } from 'node:timers/promises';
import { type DeadLetterDelivery, type DeadLetterHandler, emit, errorRecord, Lease, MillraceError, type Outcome } from '@millrace/core';
import { deadLetterId, type DeadLetterReason } from '../consume/dead-letter-reason.js';
import { messageOfEnvelope } from '../log/envelope.js';
import { reasonIn } from '../redeliver/stored-dead-letter.js';
import type { UntoldLetter, UntoldLetters } from './untold-letters.js';

/** Timers end at 2^31 ms: a longer one would fire at once. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 2_000;

export interface TellingParts {
  readonly letters: UntoldLetters;
  readonly handler: DeadLetterHandler;
  /** A dead letter with this many crashes is told no more. */
  readonly crashLimit: number;
  /** Resolves when a handler may begin here. */
  readonly mayBegin: () => Promise<void>;
  /** Called when an attempt has ended and Redis knows of it. */
  readonly attemptEnded: () => void;
}

/**
 * Has the hook told of one dead letter:
 *
 *     waiting -> at work -> told
 *        ^          |-----> failed      after the last attempt
 *        '-back-off-'
 *
 * From each of them it is let go of when it was given up, or is another member's by now: then it stays as it is in Redis.
 */
export class Telling {
  readonly letter: UntoldLetter;
  readonly #parts: TellingParts;
  readonly #lease = new Lease();
  readonly #end = new AbortController();
  #atWorkSince: number | null = null;

  constructor(letter: UntoldLetter, parts: TellingParts) {
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

  /** Whatever its handler says from now on, it is let go of. */
  giveUp(reason: MillraceError): void {
    this.#lease.giveUp(reason);
    this.#end.abort();
  }

  /** Resolves when it is told, has failed, or is let go of. Never rejects. */
  async run(): Promise<void> {
    for (let attempt = 1; !this.#lease.isGivenUp; attempt += 1) {
      await this.#parts.mayBegin();
      if (this.#lease.isGivenUp || (attempt > 1 && !(await this.#isHeld()))) return;
      this.#atWorkSince = performance.now();
      const outcome = await this.#attempt(attempt);
      const delayMs = outcome.kind === 'retry' ? outcome.delayMs : null;
      if (delayMs === null && outcome.kind !== 'release') await this.#settle(outcome.kind === 'ack' ? 'told' : 'failed');
      this.#atWorkSince = null;
      this.#parts.attemptEnded();
      if (delayMs === null) return;
      await this.#pause(Math.min(delayMs, LONGEST_TIMER_MS));
    }
  }

  async #attempt(attempt: number): Promise<Outcome> {
    const { fields, crashes } = this.letter;
    const { envelope, reason } = reasonIn(fields);
    // An entry that is no dead letter tells nothing.
    if (envelope === undefined || reason === null) return { kind: 'ack' };
    const delivery = this.#deliveryOf({ envelope, reason, attempt });
    const outcome = crashes >= this.#parts.crashLimit ? crashLoop(crashes) : await this.#parts.handler(delivery).catch(defect);
    this.#tellOfFailure(delivery, outcome);
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

  #tellOfFailure({ message, topic, partition, group, attempt }: DeadLetterDelivery, outcome: Outcome): void {
    if (outcome.kind === 'ack' || outcome.kind === 'release') return;
    const failed = { topic, partition, group, messageId: message.id, attempt, error: outcome.error };
    if (outcome.kind === 'retry') emit('hook-failed', { ...failed, outcome: 'retry', delayMs: outcome.delayMs });
    else emit('hook-failed', { ...failed, outcome: 'given-up' });
  }

  /** It may have been removed, or been taken for that of a dead process. Without an answer it is told once more. */
  #isHeld(): Promise<boolean> {
    return this.#parts.letters.has(this.letter).catch(() => true);
  }

  /** Tries until Redis has taken it. */
  async #settle(how: 'told' | 'failed'): Promise<void> {
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
  const message = `The process that told of this dead letter vanished ${crashes} times before it had. It is told no more; the dead letter stays.`;
  return { kind: 'dead-letter', reason: 'CRASH_LOOP', error: errorRecord(new MillraceError('CRASH_LOOP', message)) };
}

function defect(thrown: unknown): Outcome {
  return { kind: 'dead-letter', reason: 'HANDLER_DEFECT', error: errorRecord(thrown) };
}
