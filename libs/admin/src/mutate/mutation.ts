import { asError, isMillraceError } from '@millrace/core';
import type { AuditLog, AuditOutcome } from '../audit/audit-log.js';
import { boundaryIn, confirmationOf, ConfirmationRequiredError, ConfirmationStaleError } from './confirmation.js';
import type { MutationOptions } from './mutation-options.js';

/** The answer to an action. */
export type Mutation<Impact, Result> = DryRun<Impact> | Done<Impact, Result>;

export interface DryRun<Impact> {
  readonly dryRun: true;
  /** The effect that the action would have now. */
  readonly impact: Impact;
  /** The option `confirm` of the action; null where it needs none. */
  readonly confirmation: string | null;
}

export interface Done<Impact, Result> {
  readonly dryRun: false;
  /** The effect that was foreseen. */
  readonly impact: Impact;
  readonly result: Result;
  /** Whether a part of it was left undone, which the result names. */
  readonly partial: boolean;
  /** False when the end of the action could not be written to the audit stream; its beginning was. */
  readonly audited: boolean;
}

/** The state before an action. */
export interface Observed<Impact> {
  readonly impact: Impact;
  /** The state that a confirmation is bound to, with its counts; anything that JSON has. Default: the impact. */
  readonly state?: unknown;
  /** Up to where the action reaches; left out: it has no such limit. */
  readonly boundary?: string;
}

/** An action of an operator. */
export interface Action<Impact, Result, Seen extends Observed<Impact> = Observed<Impact>> {
  /** `groups.seek`. */
  readonly name: string;
  readonly target: Readonly<Record<string, string>>;
  /** The options that decide its effect. */
  readonly terms: object;
  /** It cannot be undone, so it needs a confirmation. */
  readonly isDestructive: boolean;
  /** Looks at the state, and changes nothing. @param boundary that of the confirmation; null for a new one */
  observe(boundary: string | null): Promise<Seen>;
  apply(seen: Seen): Promise<Result>;
  /** Whether a result is one of a part alone. Default: none is. */
  isPartial?(result: Result): boolean;
}

type Terms = Readonly<Pick<MutationOptions, 'actor' | 'dryRun' | 'confirm'>>;

/** Runs the actions of operators: dry run, confirmation, audit. */
export class Mutations {
  readonly #audit: Pick<AuditLog, 'begin' | 'end'>;

  constructor(audit: Pick<AuditLog, 'begin' | 'end'>) {
    this.#audit = audit;
  }

  /**
   * @throws ConfirmationRequiredError CONFIRMATION_REQUIRED, ConfirmationStaleError CONFIRMATION_STALE: nothing was done
   * @throws MillraceError AUDIT_FAILED: nothing was done; and what the action throws
   */
  async run<Impact, Result, Seen extends Observed<Impact>>(
    action: Action<Impact, Result, Seen>,
    { actor, dryRun, confirm }: Terms,
  ): Promise<Mutation<Impact, Result>> {
    const seen = await action.observe(confirm === undefined ? null : boundaryIn(confirm));
    const { impact } = seen;
    const confirmation = action.isDestructive ? tokenOf(action, seen) : null;
    if (dryRun) return { dryRun: true, impact, confirmation };
    if (confirmation !== null && confirm === undefined) throw new ConfirmationRequiredError(action.name, impact);
    if (confirm !== undefined && confirm !== confirmation) throw new ConfirmationStaleError(action.name, impact);
    const entry = { actor, action: action.name, target: action.target, terms: action.terms, impact };
    const id = await this.#audit.begin(entry);
    const end = (outcome: AuditOutcome): Promise<boolean> => this.#audit.end({ id, ...entry }, outcome);
    const result = await this.#applied(action, seen, end);
    const partial = action.isPartial?.(result) ?? false;
    const audited = await end({ ok: true, partial, after: result });
    return { dryRun: false, impact, result, partial, audited };
  }

  async #applied<Impact, Result, Seen extends Observed<Impact>>(
    action: Action<Impact, Result, Seen>,
    seen: Seen,
    end: (outcome: AuditOutcome) => Promise<boolean>,
  ): Promise<Result> {
    try {
      return await action.apply(seen);
    } catch (thrown) {
      const error = asError(thrown);
      await end({ ok: false, code: isMillraceError(error) ? error.code : null, message: error.message });
      throw thrown;
    }
  }
}

function tokenOf<Impact, Result, Seen extends Observed<Impact>>(action: Action<Impact, Result, Seen>, seen: Seen): string {
  const { name, target, terms } = action;
  return confirmationOf({ action: name, target, terms, state: seen.state ?? seen.impact, boundary: seen.boundary ?? '' });
}
