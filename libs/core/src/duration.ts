import { MillraceError } from './errors.js';
import { quote } from './names.js';

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** A length of time as users write it: `'250ms'`, `'30s'`, `'5m'`, `'2h'`, `'7d'`; at most 100 years. */
export type Duration = `${number}${keyof typeof UNITS}`;

const PATTERN = /^(\d{1,15}(?:\.\d{1,6})?)(ms|s|m|h|d)$/;

/** Beyond it, dates and the numbers of Redis end; nobody waits that long. */
const LONGEST_MS = 36_500 * UNITS.d;

export function isDuration(value: unknown): value is Duration {
  return millisecondsOf(value) !== null;
}

/**
 * @returns whole milliseconds
 * @throws MillraceError INVALID_OPTIONS when the text is no duration
 */
export function durationMs(duration: Duration): number {
  const ms = millisecondsOf(duration);
  if (ms !== null) return ms;
  throw new MillraceError(
    'INVALID_OPTIONS',
    `${quote(duration)} is no duration: write '250ms', '30s', '5m', '2h' or '7d', up to '36500d'.`,
  );
}

function millisecondsOf(value: unknown): number | null {
  const match = typeof value === 'string' ? PATTERN.exec(value) : null;
  if (!match) return null;
  const ms = Math.round(Number(match[1]) * UNITS[match[2] as keyof typeof UNITS]);
  return ms <= LONGEST_MS ? ms : null;
}
