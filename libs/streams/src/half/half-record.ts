import { type Durability, type OutgoingHalf, type PublishResult, type TopicDefinition, useDigest } from '@millrace/core';
import { dueText } from '../publish/admission.js';

/** The rules of a half message, as they are stored with it; `commit-half.lua` reads some. Absent ones are left out. */
export interface HalfTerms {
  readonly checkAfterMs: number;
  /** How many checks may be answered with `'unknown'`. */
  readonly checks: number;
  readonly durability: Durability;
  /** When it is due, as `publish.lua` reads it, from the commit on. */
  readonly due?: string | undefined;
  /** How long it is of use, from its commit on or from when it is due. */
  readonly ttlMs?: number | undefined;
  /** Its idempotency key, and the digest of what is published with it. */
  readonly key?: string | undefined;
  readonly digest?: string | undefined;
}

/** A half message as it is stored. */
export interface HalfRecord {
  /** By Redis's clock, in Unix milliseconds. */
  readonly storedAtMs: number;
  /** Checks that were answered with `'unknown'`. */
  readonly checks: number;
  /** How often it was taken for a check: the number of the last take. */
  readonly takes: number;
  /** The partition that it comes from, where it may still be, too; null for none. */
  readonly from: number | null;
  readonly terms: HalfTerms;
  readonly envelope: string;
}

/** A half message that is stored. */
export interface HalfPlace {
  readonly topic: TopicDefinition;
  readonly id: string;
  /** The text that decides about its partition. */
  readonly routingKey: string;
  readonly terms: HalfTerms;
  readonly partition: number;
}

/** The one who rolls a half message back. */
export type RolledBackBy = 'caller' | 'check' | 'operator';

const RECORD = /^(\d+) (\d+) (\d+) (-|\d+) ([^\n]*)\n([^]*)$/;

/** Null when there is none, or a damaged one. */
export function halfRecordOf(text: unknown): HalfRecord | null {
  const parts = typeof text === 'string' ? RECORD.exec(text) : null;
  if (!parts) return null;
  const [, storedAt, checks, takes, from, termsText, envelope] = parts;
  const terms = termsIn(termsText!);
  return terms && {
    storedAtMs: Number(storedAt),
    checks: Number(checks),
    takes: Number(takes),
    from: from === '-' ? null : Number(from),
    terms,
    envelope: envelope!,
  };
}

function termsIn(text: string): HalfTerms | null {
  try {
    return JSON.parse(text) as HalfTerms;
  } catch {
    return null;
  }
}

export function termsOf({ message, sendOptions, ttlMs, checkAfterMs, checks }: OutgoingHalf, durability: Durability): HalfTerms {
  const { idempotencyKey } = message;
  const due = dueText(sendOptions?.due);
  const keyed = idempotencyKey === null ? {} : { key: idempotencyKey, digest: useDigest(message) };
  return { checkAfterMs, checks, durability, ...(due === '' ? {} : { due }), ...(ttlMs === null ? {} : { ttlMs }), ...keyed };
}

/** The end of a half message, as scripts write it: `include/half-messages.lua` has the forms. */
export type HalfEnd =
  | { readonly kind: 'unknown' }
  | { readonly kind: 'committed' }
  | { readonly kind: 'rolled-back'; readonly by: string }
  | { readonly kind: 'refused'; readonly firstUse: string }
  | { readonly kind: 'moved'; readonly partition: number };

/** @param text what follows `ENDED` */
export function halfEndOf(text: string): HalfEnd {
  const [kind, ...rest] = text.trim().split(' ');
  if (kind === 'committed') return { kind };
  if (kind === 'rolled-back') return { kind, by: rest.join(' ') };
  if (kind === 'refused') return { kind, firstUse: rest.join(' ') };
  return kind === 'moved' ? { kind, partition: Number(rest[0]) } : { kind: 'unknown' };
}

/** The text of the end of a half message that is no message, as an earlier one was published with its idempotency key. */
export function duplicateEnd({ id, offset }: PublishResult): string {
  return `committed ${offset ?? '-'} ${id} 1`;
}
