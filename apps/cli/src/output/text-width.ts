import { EMOJI } from './emoji.js';

/** Characters that take two columns of a terminal: scripts of East Asia, and pictures. */
const WIDE = new RegExp(
  String.raw`[\u1100-\u115F\u2329\u232A\u2630-\u2637\u268A-\u268F\u2E80-\u303E\u3041-\uA4CF\uA960-\uA97C\uAC00-\uD7A3\uF900-\uFAFF` +
    String.raw`\uFE10-\uFE19\uFE30-\uFE6F\uFF01-\uFF60\uFFE0-\uFFE6\u{16FE0}-\u{18DFF}\u{1AFF0}-\u{1B2FF}\u{1D300}-\u{1D376}\u{1F200}-\u{1F265}` +
    String.raw`\u{20000}-\u{3FFFD}\p{Emoji_Presentation}]`,
  'u',
);

/** Characters that are drawn over the one before them, or in it, as the parts of a syllable of Hangul. */
const OVER = /[\p{M}\u1160-\u11FF\uD7B0-\uD7FB]/u;

const SYMBOL = new RegExp(`${EMOJI}|.`, 'gsu');

/** All characters have one column, and none is drawn over another. */
const IS_SIMPLE = /^[\0-\u02FF]*$/;

/** The columns of a terminal that a text takes, where it draws an emoji of several characters as one. */
export function textWidth(text: string): number {
  if (IS_SIMPLE.test(text)) return text.length;
  return symbolsOf(text).reduce((width, symbol) => width + symbolWidth(symbol), 0);
}

/** The beginning of a text that takes no more columns than that. */
export function clipped(text: string, columns: number): string {
  if (textWidth(text) <= columns) return text;
  let [kept, width] = ['', 0];
  for (const symbol of symbolsOf(text)) {
    width += symbolWidth(symbol);
    if (width > columns - 1) break;
    kept += symbol;
  }
  return `${kept}…`;
}

function symbolsOf(text: string): string[] {
  return text.match(SYMBOL) ?? [];
}

function symbolWidth(symbol: string): number {
  if (symbol < '\u0300' && symbol.length === 1) return 1;
  if (symbol.length > String.fromCodePoint(symbol.codePointAt(0)!).length) return 2;
  if (OVER.test(symbol)) return 0;
  return WIDE.test(symbol) ? 2 : 1;
}
