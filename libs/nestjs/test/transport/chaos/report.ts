import { type Figures, lineOfFigures, sumOf, tableOfFigures } from '@millrace/testing';
import type { ChaosOptions, ChaosReport } from './chaos.js';
import type { History, Request } from './history.js';
import { isClean, type Verdict } from './verdict.js';

export interface ReportDocument extends Omit<ChaosOptions, 'faults' | 'clients'> {
  readonly mode: 'transport';
  readonly holds: boolean;
  /** The figures that must be 0. */
  readonly verdict: Figures;
  readonly faults: ChaosReport['faults'];
  readonly figures: Figures;
  /** How requests ended: `ok`, `refused` as planned, or the code of their error. */
  readonly endings: Figures;
}

export function figuresOf(verdict: Verdict): Figures {
  const { lost, stuck, unsettled, doubleSettled, phantom, wrong, executedTwice, badDeadLetters, badExits } = verdict;
  return {
    lost, stuck, unsettled, double_settled: doubleSettled, phantom, wrong, executed_twice: executedTwice,
    bad_dead_letters: badDeadLetters, bad_exits: badExits,
  };
}

/** The figures of the verdict stand in the document itself, too. */
export function documentOf(options: ChaosOptions, { history, verdict, faults, seconds }: ChaosReport): ReportDocument {
  const { messages, workers, seed } = options;
  const { failed, reruns } = verdict;
  const figures = { seconds: Math.round(seconds * 10) / 10, ...countsOf(history), failed, reruns };
  const judged = figuresOf(verdict);
  const run = { mode: 'transport', messages, workers, seed, holds: isClean(verdict), ...judged } as const;
  return { ...run, verdict: judged, faults, figures, endings: endingsOf(history.requests) };
}

/** `N=10000 mode=transport faults=25 seed=1 lost=0 stuck=0 ...` */
export function lineOf({ messages, seed, mode, verdict, faults }: ReportDocument): string {
  return `N=${messages} mode=${mode} faults=${sumOf(faults)} seed=${seed} ${lineOfFigures(verdict)}`;
}

/** The line of the verdict, and a table of the other figures. */
export function tableOf(document: ReportDocument): string {
  return tableOfFigures(lineOf(document), document.figures, document.endings, document.faults);
}

function countsOf({ emits, requests, handled, executed, letters, killed }: History): Record<string, number> {
  return {
    events: emits.length,
    confirmed: emits.filter(({ outcome }) => outcome === 'ok').length,
    handled: handled.length,
    dead_letters: letters.length,
    requests: requests.length,
    executed: executed.length,
    killed: killed.length,
  };
}

function endingsOf(requests: readonly Request[]): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { settled: [how = 'none'] } of requests) counts[how] = (counts[how] ?? 0) + 1;
  return counts;
}
