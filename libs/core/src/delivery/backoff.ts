import { durationMs, type Duration } from '../duration.js';

/** How long to wait before the next attempt. */
export interface Backoff {
  readonly kind: 'fixed' | 'exponential';
  readonly delayMs: number;
  readonly maxMs: number;
  /** Spread the delay evenly over its upper half, so that what failed together does not come back together. */
  readonly jitter: boolean;
}

export interface BackoffOptions {
  /** The longest delay. Default `'1h'`. */
  readonly max?: Duration;
  /** Default true. */
  readonly jitter?: boolean;
}

/** The same delay each time. */
export function fixed(delay: Duration, options: Pick<BackoffOptions, 'jitter'> = {}): Backoff {
  const delayMs = durationMs(delay);
  return { kind: 'fixed', delayMs, maxMs: delayMs, jitter: options.jitter ?? false };
}

/** `delay`, then twice that, four times, ... up to `max`. */
export function exponential(delay: Duration, options: BackoffOptions = {}): Backoff {
  return { kind: 'exponential', delayMs: durationMs(delay), maxMs: durationMs(options.max ?? '1h'), jitter: options.jitter ?? true };
}

export function isBackoff(value: unknown): value is Backoff {
  const { kind, delayMs, maxMs, jitter } = (value ?? {}) as Partial<Backoff>;
  const areDelays = [delayMs, maxMs].every((ms) => Number.isSafeInteger(ms) && Number(ms) >= 0);
  return (kind === 'fixed' || kind === 'exponential') && areDelays && typeof jitter === 'boolean';
}

/**
 * @param failures attempts that have failed, at least 1
 * @returns whole milliseconds
 */
export function backoffDelayMs(backoff: Backoff, failures: number, random: () => number = Math.random): number {
  const grown = backoff.kind === 'fixed' ? backoff.delayMs : backoff.delayMs * 2 ** Math.min(failures - 1, 40);
  const delay = Math.min(grown, backoff.maxMs);
  return Math.round(backoff.jitter ? delay * (0.5 + random() / 2) : delay);
}
