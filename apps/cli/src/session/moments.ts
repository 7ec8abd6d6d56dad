import { durationMs, isDuration } from '@millrace/core';
import { InvalidArgumentError } from 'commander';

const ISO = /^\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}(?::\d{2}(?:\.\d{1,9})?)?(?:Z|[+-]\d{2}:\d{2}))?$/;
const ADVICE = 'an ISO 8601 time with its zone, as 2026-05-01T10:00:00Z, or how long ago, as -15m';

/** A moment: in ISO 8601, or how long ago, `-15m` or `15m`, by the clock of this process. Null when the text is none. */
export function momentIn(text: string): Date | null {
  const ago = text.replace(/^-/, '');
  if (isDuration(ago)) return new Date(Date.now() - durationMs(ago));
  const moment = new Date(ISO.test(text) ? text : Number.NaN);
  return Number.isNaN(moment.getTime()) ? null : moment;
}

/** Reads a moment for an option. */
export function moment(text: string): Date {
  const found = momentIn(text);
  if (found) return found;
  throw new InvalidArgumentError(`It must be ${ADVICE}.`);
}

export type PositionOption = { readonly to: 'earliest' | 'latest' | Date | { readonly offset: number } } | { readonly shift: number };

/** Reads a position for an option: `earliest`, `latest`, a moment, an offset, or `shift:-100`. */
export function position(text: string): PositionOption {
  if (text === 'earliest' || text === 'latest') return { to: text };
  const [, shift] = /^shift:([+-]?\d{1,12})$/.exec(text) ?? [];
  if (shift !== undefined) return { shift: Number(shift) };
  if (/^\d{1,15}$/.test(text)) return { to: { offset: Number(text) } };
  const to = momentIn(text);
  if (to) return { to };
  throw new InvalidArgumentError(`It must be earliest, latest, an offset, shift:-100 or shift:100, ${ADVICE}.`);
}

/** Reads where to begin: `now`, `start`, a moment or an offset. */
export function beginning(text: string): 'now' | 'earliest' | Date | { readonly offset: number } {
  if (text === 'now') return 'now';
  if (text === 'start' || text === 'earliest') return 'earliest';
  if (/^\d{1,15}$/.test(text)) return { offset: Number(text) };
  const from = momentIn(text);
  if (from) return from;
  throw new InvalidArgumentError(`It must be now, start, an offset, ${ADVICE}.`);
}
