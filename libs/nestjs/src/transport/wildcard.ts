const ONE = '*';
const REST = ['>', '#'];

/** Whether a pattern stands for several subjects: a part between its dots is `*`, or its last is `>` or `#`. */
export function hasWildcard(pattern: string): boolean {
  const parts = pattern.split('.');
  return parts.includes(ONE) || REST.includes(parts.at(-1)!);
}

/** The names that a pattern would have with its wildcards replaced: for a check of the rest of it. */
export function withoutWildcards(pattern: string): string {
  return pattern.split('.').map((part) => (part === ONE || REST.includes(part) ? 'x' : part)).join('.');
}

/** `*` stands for one part, `>` at the end for one or more, `#` at the end for any number. */
export function matchesPattern(pattern: string, subject: string): boolean {
  const [parts, given] = [pattern.split('.'), subject.split('.')];
  const last = parts.at(-1)!;
  const isOpen = REST.includes(last);
  const fixed = isOpen ? parts.slice(0, -1) : parts;
  if (!fixed.every((part, index) => part === given[index] || (part === ONE && given[index] !== undefined))) return false;
  if (!isOpen) return given.length === fixed.length;
  return given.length >= fixed.length + (last === '>' ? 1 : 0);
}
