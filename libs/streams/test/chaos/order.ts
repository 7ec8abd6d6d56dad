import { ATTEMPTS, keyOf } from './plan.js';
import { groupedBy, isFinal, type Run } from './run.js';

/** All runs of one message. */
interface Turn {
  readonly offset: number;
  readonly firstBegin: number;
  readonly lastBegin: number;
  /** When it was over for its key; infinite when it never was. */
  readonly overAt: number;
}

/**
 * How many messages broke the order of their key: a later message of the key began before a run of theirs did, or before the run
 * had ended that settled them.
 */
export function inversions(runs: readonly Run[]): number {
  const keys = groupedBy(runs.filter(isOfLastLog(runs)), ({ value, partition }) => `${partition} ${keyOf(value)}`);
  return keys.reduce((sum, ofKey) => sum + inversionsOf(ofKey), 0);
}

/**
 * A failover may take back a message that nobody had confirmed; published again, it has another offset. A run of it at the offset
 * that it had before, of which nothing was settled, belongs to a log that is gone.
 */
function isOfLastLog(runs: readonly Run[]): (run: Run) => boolean {
  const offsets = new Map(runs.map(({ value, offset }) => [value, offset]));
  return (run) => isFinal(run) || run.offset === offsets.get(run.value);
}

function inversionsOf(ofKey: readonly Run[]): number {
  const turns = groupedBy(ofKey, ({ offset }) => offset).map(turnOf);
  let count = 0;
  let nextBegin = Infinity;
  for (const { lastBegin, overAt, firstBegin } of turns.sort((one, other) => other.offset - one.offset)) {
    const isBroken = lastBegin >= nextBegin || (nextBegin < Infinity && overAt > nextBegin);
    if (isBroken) count += 1;
    nextBegin = Math.min(nextBegin, firstBegin);
  }
  return count;
}

function turnOf(runs: Run[]): Turn {
  const begins = runs.map(({ begunAt }) => begunAt);
  return { offset: runs[0]!.offset, firstBegin: Math.min(...begins), lastBegin: Math.max(...begins), overAt: overAt(runs) };
}

/** A process that was killed could not tell whether its run was settled: then the first run counts that could have been. */
function overAt(runs: readonly Run[]): number {
  const settled = runs.filter(isFinal);
  if (settled.length > 0) return Math.min(...settled.map(({ endedAt }) => endedAt));
  const able = runs.filter(({ isSuccess, attempt }) => isSuccess || attempt === ATTEMPTS);
  return Math.min(...able.map(({ endedAt }) => endedAt ?? Infinity));
}
