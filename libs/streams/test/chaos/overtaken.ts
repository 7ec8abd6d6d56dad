import { groupedBy, isFinal, type Run } from './run.js';

/** A process that told nothing for so long may be taken for dead by now: the part of its lease in which it is not sure. */
export const ASLEEP_US = 300_000;

/**
 * Runs that began when another process had ended the message, since their own process was halted after it had decided to begin
 * them: nobody can look and begin at once, so a fence has to refuse what they do. Each halt excuses one run, the first after it,
 * whose settlement was refused.
 */
export function overtaken(runs: readonly Run[]): ReadonlySet<Run> {
  const wakers = firstAfterHalts(runs);
  const excused = groupedBy(runs, ({ value }) => value).flatMap((ofMessage) => {
    const done = ofMessage.filter(isFinal);
    const isLate = (run: Run): boolean => done.some(({ worker, settledAt }) => worker !== run.worker && settledAt < run.begunAt);
    return ofMessage.filter((run) => run.settledAt === null && wakers.has(run) && isLate(run));
  });
  return new Set(excused);
}

/** Runs with whose beginning their process told something for the first time, or again after {@link ASLEEP_US} of silence. */
function firstAfterHalts(runs: readonly Run[]): ReadonlySet<Run> {
  const wakers = groupedBy(runs, ({ worker }) => worker).flatMap((ofWorker) => {
    const told = ofWorker.flatMap(({ begunAt, endedAt, settledAt }) => [begunAt, endedAt ?? begunAt, settledAt ?? begunAt]);
    const moments = told.sort((one, other) => one - other);
    return ofWorker.filter(({ begunAt }) => begunAt - (moments[moments.indexOf(begunAt) - 1] ?? -Infinity) > ASLEEP_US);
  });
  return new Set(wakers);
}
