import { MillraceError } from './errors.js';
import { quote } from './names.js';

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** A length of time as users write it: `'250ms'`, `'30s'`, `'5m'`, `'2h'`, `'7d'`. */
export type Duration = `${number}${keyof typeof UNITS}`;

const PATTERN = /^(\d{1,15}(?:\.\d{1,6})?)(ms|s|m|h|d)$/;

export function isDuration(value: unknown): value is Duration {
  return typeof value === 'string' && PATTERN.test(value);
}

/**
 * @returns whole milliseconds
 * @throws MillraceError INVALID_OPTIONS when the text is no duration
 */
export function durationMs(duration: Duration): number {
  const match = typeof duration === 'string' ? PATTERN.exec(duration) : null;
  if (!match) {
    throw new MillraceError('INVALID_OPTIONS', `${quote(duration)} is no duration: write '250ms', '30s', '5m', '2h' or '7d'.`);
  }
  return Math.round(Number(match[1]) * UNITS[match[2] as keyof typeof UNITS]);
}
