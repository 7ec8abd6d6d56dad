import type { ChaosOptions, ChaosReport } from './chaos.js';
import { isClean, type Verdict } from './verdict.js';

/** The figures that must be 0, by the names under which they are printed; null where the mode promises nothing. */
export type Figures = Readonly<Record<string, number | null>>;

export interface ReportDocument extends Pick<ChaosOptions, 'mode' | 'messages' | 'seed' | 'workers'> {
  readonly holds: boolean;
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
  const { mode, messages, seed, workers } = options;
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
  return { mode, messages, seed, workers, holds: isClean(verdict), verdict: figuresOf(verdict), faults, figures };
}

/** `lost=0 phantom=0 ...` */
export function lineOfFigures(figures: Figures): string {
  return pairs(figures).map((pair) => pair.join('=')).join(' ');
}

/** `N=30000 mode=shared faults=35 seed=1 lost=0 ...` */
export function lineOf({ messages, seed, mode, verdict, faults }: ReportDocument): string {
  const struck = Object.values(faults).reduce((sum, count) => sum + count, 0);
  return `N=${messages} mode=${mode} faults=${struck} seed=${seed} ${lineOfFigures(verdict)}`;
}

/** The line of the verdict, and a table of the other figures. */
export function tableOf(document: ReportDocument): string {
  const rows = [...pairs(document.figures), ...pairs(document.faults)];
  const width = Math.max(...rows.map(([name]) => name.length));
  const lines = rows.map(([name, value]) => `${name.padEnd(width)}  ${value.padStart(8)}`);
  return [lineOf(document), '', ...lines, ''].join('\n');
}

function pairs(record: Readonly<Record<string, number | string | null | undefined>>): [name: string, value: string][] {
  return Object.entries(record).map(([name, value]) => [name, String(value ?? '-')]);
}
