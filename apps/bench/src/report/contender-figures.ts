import { RATES, type Record } from '../match/match.js';
import type { Cpu, Run } from '../match/sides.js';
import { median } from '../statistics.js';

/** Microseconds. */
interface Latency {
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
}

/** The figures of one contender: medians over the rounds. */
export interface ContenderFigures {
  readonly name: string;
  readonly bytes: number;
  /** Why it was left out, or null. */
  readonly skipped: string | null;
  readonly perSecond: number | null;
  /** Microseconds a message. */
  readonly cpu: Cpu | null;
  /** Messages a second -> how long they take. */
  readonly latency: Readonly<{ [Rate in string]: Latency }>;
}

export function contenderFigures({ spec, skipped, runs, paced }: Record): ContenderFigures {
  const isMeasured = runs.length > 0;
  const rates = RATES.filter((rate) => paced.has(rate));
  return {
    name: spec.name,
    bytes: spec.bytes,
    skipped,
    perSecond: isMeasured ? Math.round(median(runs.map(({ perSecond }) => perSecond))) : null,
    cpu: isMeasured ? medianCpu(runs) : null,
    latency: Object.fromEntries(rates.map((rate) => [String(rate), medianLatency(paced.get(rate)!)])),
  };
}

function medianCpu(runs: readonly Run[]): Cpu {
  const of = (part: keyof Cpu): number => Number(median(runs.map(({ cpu }) => cpu[part])).toPrecision(3));
  return { producer: of('producer'), consumer: of('consumer'), server: of('server'), total: of('total') };
}

function medianLatency(arrivals: readonly Latency[]): Latency {
  const of = (part: keyof Latency): number => Math.round(median(arrivals.map((arrival) => arrival[part])));
  return { p50: of('p50'), p99: of('p99'), max: of('max') };
}
