import { createHash } from 'node:crypto';
import { MillraceError } from '@millrace/core';

/** The longest text of a confirmation: 256 partitions have a boundary each. */
export const CONFIRMATION_LENGTH = 20_000;

const DIGEST_LENGTH = 32;
const CONFIRMATION = /^[A-Za-z0-9_-]{32}\.[A-Za-z0-9_-]{0,19000}$/;

/** An action that cannot be undone was asked for without the confirmation that its dry run returns. Nothing was done. */
export class ConfirmationRequiredError extends MillraceError {
  /** The effect that it would have had. */
  readonly impact: unknown;

  constructor(action: string, impact: unknown) {
    super('CONFIRMATION_REQUIRED', `${action} cannot be undone, so nothing was done. Ask for it with dryRun: true first, and give the confirmation that it returns.`);
    this.name = 'ConfirmationRequiredError';
    this.impact = impact;
  }
}

/** A confirmation is of another action, or of a state that has changed since its dry run. Nothing was done. */
export class ConfirmationStaleError extends MillraceError {
  /** The effect that it would have now. */
  readonly impact: unknown;

  constructor(action: string, impact: unknown) {
    super('CONFIRMATION_STALE', `${action} was confirmed for another state than that of now, or for another action, so nothing was done. Look at a new dry run.`);
    this.name = 'ConfirmationStaleError';
    this.impact = impact;
  }
}

/** The action and the state that a confirmation is bound to. */
export interface Confirmed {
  readonly action: string;
  readonly target: object;
  /** The options that decide its effect. */
  readonly terms: object;
  /** The state that it was decided on, its counts included. */
  readonly state: unknown;
  /** Up to where it reaches, for an action that leaves alone what comes later. */
  readonly boundary: string;
}

/** The text that confirms an action in a state: the same for the same action and state, and for no other. */
export function confirmationOf({ action, target, terms, state, boundary }: Confirmed): string {
  const text = JSON.stringify([action, target, terms, state, boundary]);
  const digest = createHash('sha256').update(text).digest('base64url').slice(0, DIGEST_LENGTH);
  return `${digest}.${Buffer.from(boundary).toString('base64url')}`;
}

/** The boundary in a confirmation; null when it is none. */
export function boundaryIn(confirmation: string): string | null {
  if (!CONFIRMATION.test(confirmation)) return null;
  return Buffer.from(confirmation.slice(DIGEST_LENGTH + 1), 'base64url').toString();
}
