/** The id, the field and the value of an entry of a log, as Millrace writes it. */
export function storedEntry(base: number, texts: readonly string[], ms = Date.now()): [id: string, field: string, value: string] {
  return [`${ms}-${base * 16 + texts.length - 1}`, 'm', `[${texts.join(',\n')}]`];
}
