/** Names with their values, from a reply of alternating names and values. */
export function pairs(flat: readonly string[]): [string, string][] {
  return flat.flatMap((name, index) => (index % 2 === 0 ? [[name, flat[index + 1]!] as [string, string]] : []));
}

/** The field '' is the number of the window; the keys of another are forgotten. */
export function keysIn(hash: readonly string[], window: string): Record<string, string> {
  const { '': number, ...keys } = Object.fromEntries(pairs(hash));
  return number === window ? keys : {};
}
