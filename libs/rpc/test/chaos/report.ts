import { type Figures, lineOfFigures, sumOf, tableOfFigures } from '@millrace/testing';
import type { ChaosOptions, ChaosReport } from './chaos.js';
import type { Call, History } from './history.js';
import { isClean, type Verdict } from './verdict.js';

export interface ReportDocument extends Omit<ChaosOptions, 'faults'> {
  readonly mode: 'rpc';
  readonly holds: boolean;
  /** The figures that must be 0. */
  readonly verdict: Figures;
  readonly faults: ChaosReport['faults'];
  readonly figures: Figures;
  /** How calls ended: `ok`, or the code of their error. */
  readonly endings: Figures;
}

export function figuresOf(verdict: Verdict): Figures {
  const { unsettled, doubleSettled, executedAfterDeadline, dupEffects, lost, wrong, left, badExits } = verdict;
  return {
    unsettled, double_settled: doubleSettled, executed_after_deadline: executedAfterDeadline, dup_effects: dupEffects,
    lost, wrong, left, bad_exits: badExits,
  };
}

/** The figures of the verdict stand in the document itself, too. */
export function documentOf(options: ChaosOptions, { history, verdict, faults, seconds }: ChaosReport): ReportDocument {
  const { topology, messages, workers, seed } = options;
  const { failed, reruns } = verdict;
  const figures = { seconds: Math.round(seconds * 10) / 10, ...countsOf(history), failed, reruns };
  const judged = figuresOf(verdict);
  const run = { mode: 'rpc', topology, messages, workers, seed, holds: isClean(verdict), ...judged } as const;
  return { ...run, verdict: judged, faults, figures, endings: endingsOf(history.calls) };
}

/** `N=10000 mode=rpc topology=standalone faults=30 seed=1 unsettled=0 ...` */
export function lineOf({ messages, seed, mode, topology, verdict, faults }: ReportDocument): string {
  return `N=${messages} mode=${mode} topology=${topology} faults=${sumOf(faults)} seed=${seed} ${lineOfFigures(verdict)}`;
}

/** The line of the verdict, and a table of the other figures. */
export function tableOf(document: ReportDocument): string {
  return tableOfFigures(lineOf(document), document.figures, document.endings, document.faults);
}

function countsOf({ calls, executions, recorded, ends, killed }: History): Record<string, number> {
  const counted = (name: string): number => ends.reduce((sum, { counters }) => sum + (counters[name] ?? 0), 0);
  return {
    calls: calls.length,
    answered: calls.filter(({ settled }) => settled[0] === 'ok').length,
    executions: executions.length,
    recorded: Object.keys(recorded).length,
    taken_over: executions.filter(({ takenOver }) => takenOver).length,
    resent: calls.reduce((sum, { sends }) => sum + Math.max(0, sends - 1), 0),
    expired: counted('expired'),
    fenced: counted('fenced'),
    late_answers: counted('lateAnswers'),
    killed: killed.length,
  };
}

function endingsOf(calls: readonly Call[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { settled } of calls) {
    const how = settled[0] ?? 'none';
    counts[how] = (counts[how] ?? 0) + 1;
  }
  return counts;
}
