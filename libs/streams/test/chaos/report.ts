import { type Figures, lineOfFigures, sumOf, tableOfFigures } from '@millrace/testing';
import type { ChaosOptions, ChaosReport } from './chaos.js';
import { isClean, type Verdict } from './verdict.js';

export interface ReportDocument extends Pick<ChaosOptions, 'mode' | 'topology' | 'messages' | 'seed' | 'workers'> {
  readonly holds: boolean;
  /** The figures that must be 0; null where the mode promises nothing. */
  readonly verdict: Figures;
  readonly faults: ChaosReport['faults'];
  readonly figures: Readonly<Record<string, number>>;
}

export function figuresOf(verdict: Verdict): Figures {
  const { lost, phantom, dupEntries, dupEffects, order, twoOwners, stuck, badDeadLetters } = verdict;
  return {
    lost, phantom, dup_entries: dupEntries, dup_effects: dupEffects,
    order, two_owners: twoOwners, stuck, bad_dead_letters: badDeadLetters,
  };
}

export function documentOf(options: ChaosOptions, report: ChaosReport): ReportDocument {
  const { mode, topology, messages, seed, workers } = options;
  const { history, verdict, state, faults, seconds, crashes, badExits } = report;
  const figures = {
    seconds: Math.round(seconds * 10) / 10,
    messages_per_second: Math.round(messages / seconds),
    handled: state.handled,
    retries: history.runs.filter(({ attempt }) => attempt > 1).length,
    dead_letters: state.deadLettered,
    crashes,
    redelivered: state.redelivered,
    fenced: state.fenced,
    reruns: verdict.reruns,
    duplicates: verdict.duplicates,
    overtaken: verdict.overtaken,
    bad_exits: badExits,
  };
  return { mode, topology, messages, seed, workers, holds: isClean(verdict), verdict: figuresOf(verdict), faults, figures };
}

/** `N=30000 mode=shared topology=standalone faults=35 seed=1 lost=0 ...` */
export function lineOf({ messages, seed, mode, topology, verdict, faults }: ReportDocument): string {
  return `N=${messages} mode=${mode} topology=${topology} faults=${sumOf(faults)} seed=${seed} ${lineOfFigures(verdict)}`;
}

/** The line of the verdict, and a table of the other figures. */
export function tableOf(document: ReportDocument): string {
  return tableOfFigures(lineOf(document), document.figures, document.faults);
}
