/**
 * Breaks lines at their blanks, so that none has more than `width` characters; a word that is longer is broken itself.
 *
 * @param width at least 1
 */
export function wrap(text: string, width: number): string {
  return text.split('\n').flatMap((line) => partsOf(line, width)).join('\n');
}

function partsOf(line: string, width: number): string[] {
  const parts: string[] = [];
  let rest = line;
  while (rest.length > width) {
    const blank = rest.lastIndexOf(' ', width);
    const end = rest.slice(0, blank + 1).trim() === '' ? width : blank;
    parts.push(rest.slice(0, end).trimEnd());
    rest = rest.slice(end).trimStart();
  }
  return [...parts, rest];
}
