import { blocksOf, examplesOf } from '../repository/documents.js';

/** An example that a document shows together with the lines by which it differs from what it was before. */
export interface Move {
  /** The file of the example. */
  readonly name: string;
  readonly after: string;
  readonly before: string;
  /** How many lines a reader changes, adds or removes. */
  readonly changed: number;
}

/** The moves of a document, whose blocks in the language `diff` name an example in their first line: `# shop.ts`. */
export function movesOf(document: string): Move[] {
  const examples = examplesOf(document);
  const diffs = blocksOf(document).filter(({ language }) => language === 'diff');
  return diffs.map(({ name, text }) => moved(name ?? '', text.split('\n').slice(1).join('\n'), examples.get(name ?? '') ?? ''));
}

function moved(name: string, diff: string, after: string): Move {
  const hunks = diff.split('@@\n').map((hunk) => hunk.trimEnd().split('\n'));
  const before = hunks.reduce((code, hunk) => undone(code, hunk), after);
  const changed = hunks.reduce((sum, hunk) => sum + changedIn(hunk), 0);
  return { name, after, before, changed };
}

/** @throws Error when the example does not have the lines of the hunk, or has them twice */
function undone(code: string, hunk: readonly string[]): string {
  const side = (other: string): string => hunk.filter((line) => !line.startsWith(other)).map((line) => `${line.slice(1)}\n`).join('');
  const [new_, old] = [side('-'), side('+')];
  if (code.split(new_).length !== 2) throw new Error(`The example does not have these lines once:\n${new_}`);
  return code.replace(new_, () => old);
}

/** A line that takes the place of another is one. */
function changedIn(hunk: readonly string[]): number {
  const runs = hunk.join('\n').split(/^ .*$/m).map((run) => run.split('\n'));
  const count = (run: readonly string[], sign: string): number => run.filter((line) => line.startsWith(sign)).length;
  return runs.reduce((sum, run) => sum + Math.max(count(run, '-'), count(run, '+')), 0);
}
