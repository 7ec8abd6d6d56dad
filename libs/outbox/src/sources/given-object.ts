import { MillraceError, quote } from '@millrace/core';

interface Expected {
  readonly expected: string;
  readonly methods: readonly string[];
}

/**
 * Refuses what is not the object of a library that a source was asked to use.
 *
 * @throws MillraceError INVALID_OPTIONS
 */
export function assertGiven(given: unknown, source: string, { expected, methods }: Expected): void {
  const isThere = (typeof given === 'object' || typeof given === 'function') && given !== null;
  const missing = isThere ? methods.filter((name) => typeof (given as Record<string, unknown>)[name] !== 'function') : methods;
  if (missing.length === 0) return;
  const found = isThere ? `an object without ${missing.map((name) => `${name}()`).join(' and ')}` : quote(given);
  refuseGiven(source, expected, found);
}

/** @throws MillraceError INVALID_OPTIONS always */
export function refuseGiven(source: string, expected: string, found: string): never {
  throw new MillraceError('INVALID_OPTIONS', `${source}() must be given ${expected}, not ${found}.`);
}

/** @throws MillraceError INVALID_OPTIONS always */
export function refuseDialect(source: string, dialect: unknown): never {
  throw new MillraceError('INVALID_OPTIONS', `${source}() works with PostgreSQL, MySQL and MariaDB, not with ${quote(dialect)}.`);
}

/** The size of a pool of `pg` or `mysql2`, where it can be seen. */
export function poolSize(pool: unknown): number | undefined {
  const { options, config, pool: inner } = (pool ?? {}) as Record<string, Record<string, unknown> | undefined>;
  const size = options?.max ?? config?.connectionLimit ?? (inner?.config as Record<string, unknown> | undefined)?.connectionLimit;
  return typeof size === 'number' && Number.isInteger(size) && size > 0 ? size : undefined;
}
