import { type Duration, durationMs } from '../duration.js';
import { MillraceError } from '../errors.js';

/**
 * The guarantee that a resolved publish gives:
 * - `'server'`: Redis has the message.
 * - {@link replicated}: so many replicas have it as well.
 * - {@link fsynced}: Redis has written it to its disk.
 *
 * Messages of different levels overtake one another.
 */
export type Durability = 'server' | Replicated | Fsynced;

export interface Replicated {
  readonly kind: 'replicated';
  readonly replicas: number;
  readonly timeoutMs: number;
}

export interface Fsynced {
  readonly kind: 'fsynced';
  readonly timeoutMs: number;
}

const MAX_REPLICAS = 100;
/** A connection that is silent for longer than a few seconds counts as dead. */
const LONGEST: Duration = '4s';

/**
 * At least so many replicas must have the message: 1 to 100. A publish that they have not confirmed within the timeout, `'1ms'`
 * to `'4s'`, is rejected as indefinite.
 *
 * @throws MillraceError INVALID_OPTIONS
 */
export function replicated(replicas: number, timeout: Duration = '1s'): Replicated {
  const durability: Replicated = { kind: 'replicated', replicas, timeoutMs: durationMs(timeout) };
  return checked(durability, `replicated(n, timeout) takes 1 to ${MAX_REPLICAS} replicas and a timeout of '1ms' to '${LONGEST}'.`);
}

/**
 * Redis must have written the message to its disk. It needs Redis 7.2 with an append-only file, or `appendfsync always`.
 * A publish that is not confirmed within the timeout, `'1ms'` to `'4s'`, is rejected as indefinite.
 *
 * @throws MillraceError INVALID_OPTIONS
 */
export function fsynced(timeout: Duration = '1s'): Fsynced {
  return checked({ kind: 'fsynced', timeoutMs: durationMs(timeout) }, `fsynced(timeout) takes a timeout of '1ms' to '${LONGEST}'.`);
}

export function isDurability(value: unknown): value is Durability {
  if (value === 'server') return true;
  const { kind, timeoutMs, replicas } = (value ?? {}) as Partial<Replicated>;
  const isLevel = (kind as string) === 'fsynced' || (kind === 'replicated' && isWithin(replicas, MAX_REPLICAS));
  return isLevel && isWithin(timeoutMs, durationMs(LONGEST));
}

function isWithin(value: unknown, most: number): boolean {
  return Number.isSafeInteger(value) && Number(value) >= 1 && Number(value) <= most;
}

function checked<T extends Durability>(durability: T, rule: string): T {
  if (isDurability(durability)) return durability;
  throw new MillraceError('INVALID_OPTIONS', rule);
}
