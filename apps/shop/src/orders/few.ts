const FEW = 5;

/** The first of many, for a message: `'a, b, c, d, e, ...'`. */
export function few(items: readonly string[]): string {
  return `${items.slice(0, FEW).join(', ')}${items.length > FEW ? ', ...' : ''}`;
}
