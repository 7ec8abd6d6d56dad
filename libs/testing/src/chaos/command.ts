import { readFileSync, writeFileSync } from 'node:fs';
import { type Figures, lineOfFigures } from './figures.js';

/** A mode of `npm run chaos` whose history is JSON. */
export interface ChaosMode<Options, Report extends ChaosHistory, Verdict, Document extends ChaosDocument> {
  readonly chaos: (options: Options) => Promise<Report>;
  readonly documentOf: (options: Options, report: Report) => Document;
  /** The document as text. */
  readonly tableOf: (document: Document) => string;
  readonly verdictOn: (history: Report['history']) => Verdict;
  readonly figuresOf: (verdict: Verdict) => Figures;
  readonly isClean: (verdict: Verdict) => boolean;
}

/** The report of a run holds all that its verdict goes by. */
export interface ChaosHistory {
  readonly history: unknown;
}

export interface ChaosDocument {
  /** Whether every figure is 0. */
  readonly holds: boolean;
}

/** The output of a run, as JSON and as text. */
export interface ChaosOutcome {
  readonly document: ChaosDocument;
  readonly text: string;
}

export interface ChaosCommand<Options> {
  /** @param keep the file that gets the history of the run */
  readonly run: (options: Options, keep: string | undefined) => Promise<ChaosOutcome>;
  /** Judges a history that a run has kept. */
  readonly judge: (file: string) => ChaosOutcome;
}

/** The two ways in which `npm run chaos` uses a mode. */
export function chaosCommand<Options, Report extends ChaosHistory, Verdict, Document extends ChaosDocument>(
  mode: ChaosMode<Options, Report, Verdict, Document>,
): ChaosCommand<Options> {
  const { chaos, documentOf, tableOf, verdictOn, figuresOf, isClean } = mode;
  return {
    run: async (options, keep) => {
      const report = await chaos(options);
      if (keep !== undefined) writeFileSync(keep, `${JSON.stringify(report.history)}\n`);
      const document = documentOf(options, report);
      return { document, text: tableOf(document) };
    },
    judge: (file) => {
      const verdict = verdictOn(JSON.parse(readFileSync(file, 'utf8')) as Report['history']);
      const figures = figuresOf(verdict);
      const document = { holds: isClean(verdict), ...figures, verdict: figures };
      return { document, text: `${lineOfFigures(figures)}\n` };
    },
  };
}
