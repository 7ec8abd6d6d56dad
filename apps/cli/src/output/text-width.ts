/** Characters that take two columns of a terminal: scripts of East Asia, and pictures. */
const WIDE = /[\u1100-\u115F\u2E80-\u303E\u3041-\uA4CF\uAC00-\uD7A3\uF900-\uFAFF\uFE30-\uFE6F\uFF00-\uFF60\uFFE0-\uFFE6\u{1F300}-\u{1FAFF}\u{20000}-\u{3FFFD}]/u;

/** Characters that are drawn over the one before them. */
const OVER = /\p{M}/u;

/** The columns of a terminal that a text takes. */
export function textWidth(text: string): number {
  let width = 0;
  for (const character of text) width += characterWidth(character);
  return width;
}

/** The beginning of a text that takes no more columns than that. */
export function clipped(text: string, columns: number): string {
  if (textWidth(text) <= columns) return text;
  let [kept, width] = ['', 0];
  for (const character of text) {
    width += characterWidth(character);
    if (width > columns - 1) break;
    kept += character;
  }
  return `${kept}…`;
}

function characterWidth(character: string): number {
  if (character < '\u0300') return 1;
  if (OVER.test(character)) return 0;
  return WIDE.test(character) ? 2 : 1;
}
