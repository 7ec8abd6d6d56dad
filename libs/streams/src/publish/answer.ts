import type { MillraceError } from '@millrace/core';
import { RedisFailure } from '@millrace/redis';

/**
 * - `stored`: `reply` has the offsets; `unconfirmed` is why the requested durability is not confirmed, or null when it is.
 * - `gap`: the batch before it is not stored; `last` is the last one that is. Nothing is stored.
 * - `full`, `unclaimed`, `undeclared`: room, the claims or the partition are missing. Nothing is stored.
 * - `moved`: the topic has another number of partitions, so the messages may belong to others. Nothing is stored.
 * - `stale`: its number was used for another batch.
 * - `failed`: no answer. The batch may be stored when the error is an indeterminate failure of Redis, and only then.
 */
export type Answer =
  | { readonly kind: 'stored'; readonly reply: string; readonly unconfirmed: MillraceError | null }
  | { readonly kind: 'gap'; readonly last: number }
  | { readonly kind: Refusal }
  | { readonly kind: 'failed'; readonly error: MillraceError };

/** `replies`: for each batch in doubt the reply of its storing, or null when it never will be stored. */
export type Closing =
  | { readonly kind: 'closed'; readonly replies: readonly (string | null)[]; readonly unconfirmed: MillraceError | null }
  | Exclude<Answer, { kind: 'stored' }>;

type Refusal = 'full' | 'unclaimed' | 'undeclared' | 'moved' | 'stale';

/** In place of the reply to a batch that was closed. */
const CLOSED = '-';
const KINDS: Readonly<Record<string, Refusal>> = {
  FULL: 'full', UNCLAIMED: 'unclaimed', UNDECLARED: 'undeclared', MOVED: 'moved', STALE: 'stale',
};

/** The meaning of a reply of `publish.lua`. */
export function answerOf(reply: string, unconfirmed: MillraceError | null): Answer {
  return refusalOf(reply) ?? { kind: 'stored', reply, unconfirmed };
}

/** The meaning of a reply of `close.lua`. */
export function closingOf(reply: string | readonly string[], unconfirmed: MillraceError | null): Closing {
  if (typeof reply === 'string') return refusalOf(reply) ?? { kind: 'stale' };
  return { kind: 'closed', replies: reply.map((one) => (one === CLOSED ? null : one)), unconfirmed };
}

/** Null when the reply is that of a stored batch. */
function refusalOf(reply: string): Exclude<Answer, { kind: 'stored' | 'failed' }> | null {
  const kind = KINDS[reply];
  if (kind) return { kind };
  return reply.startsWith('GAP ') ? { kind: 'gap', last: Number(reply.slice(4)) } : null;
}

/** Whether the batch may be stored, as it was not answered. */
export function isInDoubt(answer: Answer | null): boolean {
  return answer?.kind === 'failed' && answer.error instanceof RedisFailure && answer.error.kind === 'indeterminate';
}

/** Whether another try soon would be useless. */
export function isFinal(error: MillraceError): boolean {
  return !(error instanceof RedisFailure) || error.kind === 'fatal' || error.kind === 'back-pressure';
}
