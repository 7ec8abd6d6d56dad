import type { Record } from '../match/match.js';
import { median } from '../statistics.js';
import { type Bound, row, type Row } from './row.js';

interface Comparison {
  readonly contender: string;
  readonly against: string;
  readonly bound?: Bound;
}

/** CPU of all three processes for each message. It repeats to 15 %; throughput on a shared machine does not. */
const CPU: readonly Comparison[] = [
  { contender: 'millrace', against: 'bare loop', bound: ['<=', 0.9] },
  { contender: 'millrace 4 partitions', against: 'bare loop', bound: ['<=', 1.1] },
  { contender: 'millrace 16 partitions', against: 'bare loop' },
  { contender: 'millrace key', against: 'bare loop', bound: ['<=', 1.1] },
  { contender: 'millrace publishMany', against: 'millrace', bound: ['<=', 1] },
  { contender: 'millrace ledger', against: 'millrace' },
  { contender: 'millrace 10 KB', against: 'bare loop 10 KB', bound: ['<=', 1.2] },
  { contender: 'millrace jobs', against: 'bullmq', bound: ['<=', 1.05] },
  { contender: 'millrace calls', against: 'nest calls' },
  { contender: 'millrace calls of 2', against: 'nest calls of 2' },
  { contender: 'transport calls', against: 'nest calls', bound: ['<=', 0.7] },
  { contender: 'transport calls of 2', against: 'nest calls of 2', bound: ['<=', 0.7] },
  { contender: 'transport events', against: 'nest redis' },
];

const THROUGHPUT: readonly Comparison[] = [
  { contender: 'millrace ordered', against: 'millrace 4 partitions', bound: ['>=', 0.8] },
  { contender: 'millrace calls', against: 'nest calls', bound: ['>=', 1.6] },
  { contender: 'millrace calls of 2', against: 'nest calls of 2', bound: ['>=', 1.6] },
  { contender: 'transport calls', against: 'nest calls', bound: ['>=', 1.1] },
  { contender: 'transport calls of 2', against: 'nest calls of 2', bound: ['>=', 1.1] },
  { contender: 'transport events', against: 'nest redis', bound: ['>=', 1] },
  { contender: 'millrace ledger', against: 'millrace' },
  { contender: 'millrace', against: 'bare loop' },
  { contender: 'millrace', against: 'jetstream' },
  { contender: 'millrace', against: 'rabbitmq' },
  { contender: 'millrace', against: 'bullmq' },
  { contender: 'millrace 10 KB', against: 'jetstream 10 KB' },
  { contender: 'millrace 10 KB', against: 'rabbitmq 10 KB' },
];

/** At 500 messages a second. */
const LATENCY: readonly (Comparison & { readonly percentile: 'p50' | 'p99' })[] = [
  { contender: 'millrace', against: 'raw pub/sub', percentile: 'p50', bound: ['<=', 1.7] },
  { contender: 'millrace', against: 'raw pub/sub', percentile: 'p99', bound: ['<=', 2] },
  { contender: 'millrace ordered', against: 'millrace 4 partitions', percentile: 'p50', bound: ['<=', 1.3] },
  { contender: 'millrace calls', against: 'nest calls', percentile: 'p50', bound: ['<=', 1] },
  { contender: 'millrace calls of 2', against: 'nest calls of 2', percentile: 'p50', bound: ['<=', 1] },
  { contender: 'transport calls', against: 'nest calls', percentile: 'p50', bound: ['<=', 1.5] },
  { contender: 'transport calls of 2', against: 'nest calls of 2', percentile: 'p50', bound: ['<=', 1.5] },
];
const LATENCY_RATE = 500;

/** One row for each comparison of which both sides were measured. */
export function ratioRows(records: readonly Record[]): Row[] {
  const find = (name: string): Record | undefined => records.find(({ spec }) => spec.name === name);
  const compare = <C extends Comparison>(list: readonly C[], make: (pair: C & Compared) => Row[]): Row[] =>
    list.flatMap((comparison) => {
      const [one, other] = [find(comparison.contender), find(comparison.against)];
      return one && other ? make({ ...comparison, one, other }) : [];
    });
  return [
    ...compare(CPU, cpuRow),
    ...compare(THROUGHPUT, throughputRow),
    ...compare(LATENCY, latencyRow),
  ];
}

interface Compared {
  readonly one: Record;
  readonly other: Record;
  readonly bound?: Bound | undefined;
}

function cpuRow({ one, other, bound }: Compared): Row[] {
  const ratio = medianRatio(one.runs, other.runs, ({ cpu }) => cpu.total);
  return measured(`CPU a message: ${one.spec.name} / ${other.spec.name}`, ratio, bound);
}

function throughputRow({ one, other, bound }: Compared): Row[] {
  const ratio = medianRatio(one.runs, other.runs, ({ perSecond }) => perSecond);
  return measured(`throughput: ${one.spec.name} / ${other.spec.name}`, ratio, bound);
}

function latencyRow({ one, other, bound, percentile }: Compared & { readonly percentile: 'p50' | 'p99' }): Row[] {
  const [ours, theirs] = [one.paced.get(LATENCY_RATE) ?? [], other.paced.get(LATENCY_RATE) ?? []];
  const ratio = medianRatio(ours, theirs, (arrival) => arrival[percentile]);
  return measured(`${percentile} at ${LATENCY_RATE}/s: ${one.spec.name} / ${other.spec.name}`, ratio, bound);
}

/** The median of the ratios within rounds; NaN without any. */
function medianRatio<T>(ours: readonly T[], theirs: readonly T[], of: (round: T) => number): number {
  const rounds = Math.min(ours.length, theirs.length);
  return median(Array.from({ length: rounds }, (_, round) => of(ours[round]!) / of(theirs[round]!)));
}

function measured(name: string, value: number, bound: Bound | undefined): Row[] {
  return Number.isNaN(value) ? [] : [row(name, value, { unit: 'x', bound })];
}
