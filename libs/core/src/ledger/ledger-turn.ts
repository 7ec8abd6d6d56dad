import { asError, isMillraceError } from '../errors.js';
import { emit, type EventPlace } from '../events.js';
import { errorRecord } from '../delivery/error-record.js';
import type { Lease } from '../delivery/lease.js';
import type { Outcome } from '../delivery/outcome.js';
import type { LedgerPort } from './ledger-port.js';

/** The member of this process in whose name entries of ledgers are in progress. */
export interface LedgerHolder {
  readonly member: string;
  /** Whether nobody can take this process for dead yet: only then anything may begin. */
  readonly isSure: boolean;
}

/** A ledger, and how this process uses it. */
export interface LedgerUse {
  readonly ledger: LedgerPort;
  readonly holder: LedgerHolder;
  /** For events. */
  readonly place: EventPlace;
}

/** An entry that is in progress for this process. */
export interface BegunEntry {
  readonly id: string;
  readonly token: string;
  readonly lease: Lease;
}

const FIRST_PAUSE_MS = 20;
const LONGEST_PAUSE_MS = 1_000;
const RELEASED: Outcome = { kind: 'release' };

/**
 * An entry of a ledger while its work is in progress here: begun -> done, or begun -> released. It is released as soon as the
 * lease of the work is given up: another may begin then, and what this process still does counts for nothing.
 */
export class LedgerTurn {
  readonly #use: LedgerUse;
  readonly #entry: BegunEntry;
  readonly #lost: () => void;
  #isOver = false;

  constructor(use: LedgerUse, entry: BegunEntry) {
    this.#use = use;
    this.#entry = entry;
    this.#lost = () => this.release();
    entry.lease.signal.addEventListener('abort', this.#lost);
  }

  release(): void {
    if (this.#isOver) return;
    this.#end();
    const { id, token } = this.#entry;
    // The ledger itself repeats a release that fails.
    this.#use.ledger.release(id, token).catch((error: unknown) => ledgerFailed(this.#use.place, error));
  }

  /**
   * The work has ended so. Where it is done, that is recorded before this resolves: the outcome is settled after it, so that a
   * process that dies between the two has not done it in vain.
   *
   * @returns the outcome that counts: a release when others may have the work by now
   */
  async ended<O extends Outcome>(outcome: O): Promise<O | Outcome> {
    const { lease } = this.#entry;
    if (isDone(outcome)) await lease.confirm();
    if (!isDone(outcome) || lease.isGivenUp) {
      this.release();
      return outcome;
    }
    const isRecorded = await this.#completed();
    this.#end();
    // Gone from Redis though nobody else can have begun it: it was lost there, and the work is done all the same.
    return isRecorded || (this.#use.holder.isSure && !lease.isGivenUp) ? outcome : RELEASED;
  }

  async #completed(): Promise<boolean> {
    const { id, token, lease } = this.#entry;
    for (let pauseMs = FIRST_PAUSE_MS; !lease.isGivenUp; pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS)) {
      try {
        return await this.#use.ledger.complete(id, token, '');
      } catch (error) {
        ledgerFailed(this.#use.place, error);
        if (!isMillraceError(error) || !error.retryable) return false;
      }
      await lease.passed(pauseMs);
    }
    return false;
  }

  #end(): void {
    this.#isOver = true;
    this.#entry.lease.signal.removeEventListener('abort', this.#lost);
  }
}

export function ledgerFailed(place: EventPlace, error: unknown): void {
  emit('loop-failed', { ...place, loop: 'idempotency', error: errorRecord(asError(error)), failures: 1 });
}

/** Whether the handler has done its work, now or before. */
function isDone(outcome: Outcome): boolean {
  return outcome.kind === 'ack' && !outcome.expired && !outcome.filtered;
}
