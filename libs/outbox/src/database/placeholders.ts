import { MillraceError } from '@millrace/core';
import type { SqlDialect } from './sql-source.js';

/** A statement cut where its parameters stand, and their values in the order of the text: `values[i]` follows `pieces[i]`. */
export interface CutStatement {
  readonly pieces: readonly string[];
  readonly values: readonly unknown[];
}

/** Texts in which nothing is a placeholder, and placeholders. The name `a$1` has none. */
const TOKENS: Readonly<Record<SqlDialect, RegExp>> = {
  postgres:
    /(?<!\w)[eE]'(?:[^'\\]|\\[\s\S]|'')*'|'(?:[^']|'')*'|"(?:[^"]|"")*"|--[^\n]*|\/\*[\s\S]*?\*\/|(?<![\w$])\$([A-Za-z_]\w*)?\$[\s\S]*?\$\1\$|(?<![\w$])\$(\d+)/g,
  mysql:
    /'(?:[^'\\]|\\[\s\S]|'')*'|"(?:[^"\\]|\\[\s\S]|"")*"|`(?:[^`]|``)*`|--[ \t][^\n]*|#[^\n]*|\/\*[\s\S]*?\*\/|(?<![\w$])\$()(\d+)/g,
};

/**
 * For libraries whose placeholders have no numbers.
 *
 * @throws MillraceError INVALID_INPUT a parameter is missing
 */
export function cutStatement(text: string, parameters: readonly unknown[], dialect: SqlDialect): CutStatement {
  const pieces: string[] = [];
  const values: unknown[] = [];
  let from = 0;
  for (const match of text.matchAll(TOKENS[dialect])) {
    if (match[2] === undefined) continue;
    pieces.push(text.slice(from, match.index));
    values.push(parameterOf(parameters, Number(match[2])));
    from = match.index + match[0].length;
  }
  return { pieces: [...pieces, text.slice(from)], values };
}

/**
 * The statement with `?` for each parameter, for drivers that replace every question mark.
 *
 * @throws MillraceError INVALID_INPUT the statement has a question mark of its own
 */
export function withQuestionMarks({ pieces, values }: CutStatement): string {
  if (values.length > 0 && pieces.some((piece) => piece.includes('?'))) {
    throw new MillraceError('INVALID_INPUT', 'A statement with parameters may not have a question mark of its own: give that text as a parameter.');
  }
  return pieces.join('?');
}

function parameterOf(parameters: readonly unknown[], number: number): unknown {
  if (number < 1 || number > parameters.length) {
    throw new MillraceError('INVALID_INPUT', `The statement has a parameter $${number}, and ${parameters.length} were given.`);
  }
  return parameters[number - 1] ?? null;
}
