/**
 * - `ok`: as it must be.
 * - `warning`: it works, and may fail or lose something one day.
 * - `fault`: something of Millrace does not work, or loses messages.
 * - `unknown`: the server does not say, as managed ones do.
 */
export type FindingState = 'ok' | 'warning' | 'fault' | 'unknown';

/** One thing that was looked at. */
export interface Finding {
  /** `eviction policy`. */
  readonly check: string;
  /** The node of a Cluster that it is about, `host:port`; null when it is about all of them, or there is one server. */
  readonly node: string | null;
  readonly state: FindingState;
  /** A few words: `allkeys-lru`. */
  readonly found: string;
  /** The harm that it does and what to do, in a sentence or two; null where nothing is to be done. */
  readonly advice: string | null;
}

export function ok(check: string, found: string): Finding {
  return { check, node: null, state: 'ok', found, advice: null };
}

export function warning(check: string, found: string, advice: string): Finding {
  return { check, node: null, state: 'warning', found, advice };
}

export function fault(check: string, found: string, advice: string): Finding {
  return { check, node: null, state: 'fault', found, advice };
}

export function unknown(check: string, why = 'the server does not say'): Finding {
  return { check, node: null, state: 'unknown', found: why, advice: null };
}
