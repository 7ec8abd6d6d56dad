import { lineOfFigures } from '@millrace/testing';
import { chaos, type ChaosOptions } from './chaos.js';
import { documentOf, figuresOf, tableOf } from './report.js';
import { readHistory, writeHistory } from './stored-history.js';
import { isClean, verdictOn } from './verdict.js';

/** The output of `npm run chaos`, as JSON or as text. */
export interface Outcome {
  readonly document: { readonly holds: boolean };
  readonly text: string;
}

/** @param keep the file that gets the history of the run */
export async function run(options: ChaosOptions, keep: string | undefined): Promise<Outcome> {
  const report = await chaos(options);
  if (keep !== undefined) writeHistory(keep, report.history);
  const document = documentOf(options, report);
  return { document, text: tableOf(document) };
}

/** Judges a history that a run has kept. */
export function judge(file: string): Outcome {
  const verdict = verdictOn(readHistory(file));
  const figures = figuresOf(verdict);
  return { document: { holds: isClean(verdict), verdict: figures }, text: `${lineOfFigures(figures)}\n` } as Outcome;
}
