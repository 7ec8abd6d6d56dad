import { MillraceError, type PresencePort, quote } from '@millrace/core';
import type { Topology } from '@millrace/redis';

export interface LedgerOptions {
  readonly redis: Pick<Topology, 'publishFor'>;
  readonly presence: PresencePort;
  /** The first part of every key. */
  readonly prefix: string;
  /** The name of the ledger: 1 to 400 letters, digits, `.`, `_`, `-` and `:`. The same id in another ledger is another entry. */
  readonly scope: string;
  /**
   * How long an entry that is done is kept, in whole milliseconds, and up to as long again. Default 600 000 (10 minutes).
   */
  readonly keepMs?: number;
  /** The far bound for an entry in progress, in whole milliseconds: no work may take longer. Default `keepMs`. */
  readonly workMs?: number | undefined;
  /** The largest result that is kept, in bytes of UTF-8. Default 65 536. */
  readonly maxResultBytes?: number;
  /**
   * How many entries there may be, in progress and done: beyond them nothing is begun. Each shard has its part of them.
   * Default 1 000 000.
   */
  readonly maxEntries?: number;
}

export const LEDGER_DEFAULTS = { keepMs: 600_000, maxResultBytes: 65_536, maxEntries: 1_000_000 } as const;

const SCOPE = /^[A-Za-z0-9._:-]{1,400}$/;

/** @throws MillraceError INVALID_OPTIONS */
export function assertLedgerOptions({ scope, keepMs = 1, workMs = 1, maxResultBytes = 1, maxEntries = 1 }: LedgerOptions): void {
  const problems = [
    ...(SCOPE.test(scope) ? [] : [`scope: ${quote(scope)} is not 1 to 400 letters, digits, '.', '_', '-' and ':'.`]),
    ...(isCount(workMs) ? [] : [`workMs: ${String(workMs)} is not a whole number of milliseconds, at least 1.`]),
    ...(isCount(keepMs) ? [] : [`keepMs: ${String(keepMs)} is not a whole number of milliseconds, at least 1.`]),
    ...(isCount(maxResultBytes) ? [] : [`maxResultBytes: ${String(maxResultBytes)} is not a whole number of bytes, at least 1.`]),
    ...(isCount(maxEntries) ? [] : [`maxEntries: ${String(maxEntries)} is not a whole number of entries, at least 1.`]),
  ];
  if (problems.length > 0) throw new MillraceError('INVALID_OPTIONS', 'The ledger cannot be made with these options:', { problems });
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1;
}
