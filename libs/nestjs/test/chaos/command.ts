import { readFileSync, writeFileSync } from 'node:fs';
import { type Figures, lineOfFigures } from '@millrace/testing';
import { chaos, type ChaosOptions } from './chaos.js';
import type { History } from './history.js';
import { documentOf, figuresOf, tableOf } from './report.js';
import { isClean, verdictOn } from './verdict.js';

interface Outcome {
  readonly document: { readonly holds: boolean };
  readonly text: string;
}

/** @param keep the file that gets the history of the run */
export async function run(options: ChaosOptions, keep: string | undefined): Promise<Outcome> {
  const report = await chaos(options);
  if (keep !== undefined) writeFileSync(keep, `${JSON.stringify(report.history)}\n`);
  const document = documentOf(options, report);
  return { document, text: tableOf(document) };
}

/** Judges a history that a run has kept. */
export function judge(file: string): Outcome {
  const verdict = verdictOn(JSON.parse(readFileSync(file, 'utf8')) as History);
  const figures: Figures = figuresOf(verdict);
  const document = { holds: isClean(verdict), ...figures, verdict: figures };
  return { document, text: `${lineOfFigures(figures)}\n` };
}
