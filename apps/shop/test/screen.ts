/** The lines that a terminal of endless height shows in the end, and those that were erased on the way. */
export interface Screen {
  readonly lines: readonly string[];
  readonly erased: readonly string[];
}

/** Knows what the demo writes: line breaks, and the way back to the beginning of a line that is erased. */
export function screenOf(output: string): Screen {
  const erased: string[] = [];
  const lines = output.replaceAll('\r\n', '\n').split('\n').map((line) => {
    const parts = line.split('\r\u001B[K');
    erased.push(...parts.slice(0, -1));
    return parts.at(-1) ?? '';
  });
  return { lines, erased };
}
