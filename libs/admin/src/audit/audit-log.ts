import { MillraceError, newMessageId, redactValue } from '@millrace/core';
import { loadScript, type Topology } from '@millrace/redis';
import { auditKey } from '../keys.js';

const append = loadScript('../scripts/append-audit.lua', import.meta.url);

/** Entries that are kept: each action has two. */
export const AUDIT_LENGTH = 10_000;

/** An action may have any number of items: the stream has its counts, and the first of them. */
const BOUNDS = { depth: 6, members: 50, text: 1_000, total: 16_000 } as const;

/** An action, as the stream has it from its beginning on. */
export interface AuditedAction {
  readonly actor: string;
  readonly action: string;
  readonly target: Readonly<Record<string, string>>;
  readonly terms: unknown;
  /** The effect that was foreseen, and the state before. */
  readonly impact: unknown;
}

export type AuditOutcome =
  | { readonly ok: true; readonly partial: boolean; readonly after: unknown }
  | { readonly ok: false; readonly code: string | null; readonly message: string };

/** Writes down what operators do: an entry when an action begins, and one when it has ended. */
export class AuditLog {
  readonly #redis: Topology;
  readonly #key: string;

  constructor(redis: Topology, prefix: string) {
    this.#redis = redis;
    this.#key = auditKey(prefix);
  }

  /**
   * @returns the id of the action
   * @throws MillraceError AUDIT_FAILED
   */
  async begin(action: AuditedAction): Promise<string> {
    const id = newMessageId();
    try {
      await this.#append({ id, phase: 'begun', ...action });
    } catch (cause) {
      throw new MillraceError(
        'AUDIT_FAILED',
        `${action.action} could not be written to the audit stream, so nothing was done. Ask again when Redis takes writes to it.`,
        { cause, retryable: true },
      );
    }
    return id;
  }

  /** @returns false when it could not be written: the action is done in any case */
  async end(action: AuditedAction & { readonly id: string }, outcome: AuditOutcome): Promise<boolean> {
    try {
      await this.#append({ ...action, phase: 'ended', outcome });
      return true;
    } catch {
      // The caller tells of it: an error would say that nothing was done.
      return false;
    }
  }

  async #append(entry: object): Promise<void> {
    const text = JSON.stringify(redactValue(asJson(entry), BOUNDS));
    await this.#redis.controlFor(this.#key).run(append, [this.#key], [text, AUDIT_LENGTH]);
  }
}

/** Dates and options as JSON has them. */
function asJson(value: object): unknown {
  return JSON.parse(JSON.stringify(value));
}
