/** Numbers by the names under which they are printed; null where there is no such promise. */
export type Figures = Readonly<Record<string, number | null | undefined>>;

/** `lost=0 phantom=0 ...` */
export function lineOfFigures(figures: Figures): string {
  return pairs(figures).map((pair) => pair.join('=')).join(' ');
}

/** A line, and below it a table of figures. */
export function tableOfFigures(line: string, ...figures: readonly Figures[]): string {
  const rows = figures.flatMap(pairs);
  const width = Math.max(...rows.map(([name]) => name.length));
  const lines = rows.map(([name, value]) => `${name.padEnd(width)}  ${value.padStart(8)}`);
  return [line, '', ...lines, ''].join('\n');
}

export function sumOf(figures: Figures): number {
  return Object.values(figures).reduce<number>((sum, count) => sum + (count ?? 0), 0);
}

function pairs(figures: Figures): [name: string, value: string][] {
  return Object.entries(figures).map(([name, value]) => [name, String(value ?? '-')]);
}
