import { groupedBy, isFinal, type Run } from './run.js';

type Settled = Run & { endedAt: number; settledAt: number };

/** How many runs Redis settled that a process had no right to, as another one owned the partition. */
export function intruders(runs: readonly Run[]): number {
  const partitions = groupedBy(runs.filter(isFinal), ({ partition }) => partition);
  return partitions.reduce((sum, settled) => sum + intrudersOf(settled), 0);
}

function intrudersOf(settled: readonly Settled[]): number {
  const found = new Set([...overlapping(settled), ...outdated(settled), ...sharing(settled)]);
  return found.size;
}

/** Runs that began while one of another process was going on, and both were settled. */
function overlapping(settled: readonly Settled[]): Settled[] {
  const ends = new Map<number, number>();
  return settled.toSorted((one, other) => one.begunAt - other.begunAt).filter((run) => {
    const isDuring = [...ends].some(([worker, endedAt]) => worker !== run.worker && endedAt > run.begunAt);
    ends.set(run.worker, Math.max(ends.get(run.worker) ?? 0, run.endedAt));
    return isDuring;
  });
}

/** Runs that ended, and were settled, after a run under a later epoch was settled. */
function outdated(settled: readonly Settled[]): Settled[] {
  const epochs = groupedBy(settled.filter(({ epoch }) => epoch !== null), ({ epoch }) => epoch!);
  let laterSettledAt = Infinity;
  return epochs.sort(([one], [other]) => other!.epoch! - one!.epoch!).flatMap((ofEpoch) => {
    const late = ofEpoch.filter(({ endedAt }) => endedAt > laterSettledAt);
    laterSettledAt = Math.min(laterSettledAt, ...ofEpoch.map(({ settledAt }) => settledAt));
    return late;
  });
}

/** Runs under an epoch that belongs to another process: an epoch has one owner. */
function sharing(settled: readonly Settled[]): Settled[] {
  const epochs = groupedBy(settled.filter(({ epoch }) => epoch !== null), ({ epoch }) => epoch!);
  return epochs.flatMap((ofEpoch) => ofEpoch.filter(({ worker }) => worker !== ofEpoch[0]!.worker));
}
