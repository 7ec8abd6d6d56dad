import { type Figures, lineOfFigures, sumOf, tableOfFigures } from '@millrace/testing';
import type { ChaosOptions, ChaosReport } from './chaos.js';
import type { History } from './history.js';
import { isClean, type Verdict } from './verdict.js';

export interface ReportDocument extends Omit<ChaosOptions, 'faults'> {
  readonly mode: 'transactions';
  readonly holds: boolean;
  /** The figures that must be 0. */
  readonly verdict: Figures;
  readonly faults: ChaosReport['faults'];
  readonly figures: Figures;
}

export function figuresOf(verdict: Verdict): Figures {
  const { lost, phantom, doubled, dupEffects, halvesLeft, stuck, deadLetters, badExits } = verdict;
  return {
    lost, phantom, doubled, dup_effects: dupEffects, halves_left: halvesLeft, stuck, dead_letters: deadLetters,
    bad_exits: badExits,
  };
}

/** The figures of the verdict stand in the document itself, too. */
export function documentOf(options: ChaosOptions, { history, verdict, faults, seconds }: ChaosReport): ReportDocument {
  const { messages, workers, seed } = options;
  const figures = { seconds: Math.round(seconds * 10) / 10, ...countsOf(history), window: verdict.window };
  const judged = figuresOf(verdict);
  return { mode: 'transactions', messages, workers, seed, holds: isClean(verdict), ...judged, verdict: judged, faults, figures };
}

/** `N=10000 mode=transactions faults=50 seed=1 placed=9000 published=9000 handled=9000 lost=0 ...` */
export function lineOf({ messages, seed, mode, verdict, faults, figures }: ReportDocument): string {
  const { placed, published, handled } = figures;
  const counts = lineOfFigures({ placed, published, handled });
  return `N=${messages} mode=${mode} faults=${sumOf(faults)} seed=${seed} ${counts} ${lineOfFigures(verdict)}`;
}

/** The line of the verdict, and a table of the other figures. */
export function tableOf(document: ReportDocument): string {
  return tableOfFigures(lineOf(document), document.figures, document.faults);
}

function countsOf({ placed, published, forwarded, effects, killed, missed }: History): Record<string, number> {
  const count = (kind: string): number => effects.filter((effect) => effect.kind === kind).length;
  const kinds = ['reserved', 'shipped', 'mailed', 'numbered', 'invoiced'];
  return {
    placed: placed.length,
    published: published.length,
    handled: count('reserved'),
    forwarded: forwarded.length,
    ...Object.fromEntries(kinds.map((kind) => [kind, count(kind)])),
    killed,
    missed: missed.length,
  };
}
