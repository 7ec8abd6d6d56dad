import { backoffDelayMs, LOOP_BACKOFF } from '@millrace/core';

interface Pause {
  readonly failures: number;
  readonly until: number;
  readonly reason: string;
}

/** The topics and queues of which this relay reads no rows for a while, since what is behind them does not take any. */
export class TargetPauses {
  readonly #pauses = new Map<string, Pause>();

  /** @returns how long the pause is, and how many there were in a row */
  hold(target: string, reason: string): { pauseMs: number; failures: number } {
    const failures = (this.#pauses.get(target)?.failures ?? 0) + 1;
    const pauseMs = backoffDelayMs(LOOP_BACKOFF, failures);
    this.#pauses.set(target, { failures, until: performance.now() + pauseMs, reason });
    return { pauseMs, failures };
  }

  end(target: string): void {
    this.#pauses.delete(target);
  }

  /** The targets that are paused now. */
  targets(): string[] {
    const now = performance.now();
    return [...this.#pauses].filter(([, { until }]) => until > now).map(([target]) => target);
  }

  /** Milliseconds to the end of the first pause; null when there is none. */
  nextEndMs(): number | null {
    const ends = [...this.#pauses.values()].map(({ until }) => until - performance.now()).filter((ms) => ms > 0);
    return ends.length === 0 ? null : Math.ceil(Math.min(...ends));
  }

  /** Why a target takes nothing, when that has lasted for some tries; null when all is well. */
  problem(): string | null {
    for (const [target, { failures, reason }] of this.#pauses) if (failures >= LASTING) return `'${target}' takes no rows: ${reason}`;
    return null;
  }
}

/** Tries in a row after which a pause is a problem: half a minute and more, as a try takes up to 5 seconds. */
const LASTING = 5;
