/** A signal over several leases. */
export interface LeaseOfAll {
  /** Aborts when the last of the leases is lost: as long as one is there, the work on it counts. */
  readonly signal: AbortSignal;
  /** Leaves nothing behind on the signals of the leases. */
  readonly end: () => void;
}

export function leaseOfAll(signals: readonly AbortSignal[]): LeaseOfAll {
  const leases = new Set(signals);
  const abort = new AbortController();
  const lost = (): void => {
    if (signals.every(({ aborted }) => aborted)) abort.abort(signals[0]?.reason);
  };
  for (const lease of leases) lease.addEventListener('abort', lost);
  lost();
  return {
    signal: abort.signal,
    end: () => {
      for (const lease of leases) lease.removeEventListener('abort', lost);
    },
  };
}
