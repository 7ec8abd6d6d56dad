import { read } from './repository.js';

/** A part of the reference that lists the options or properties of one symbol. */
export interface MemberTable {
  readonly symbol: string;
  readonly members: readonly string[];
}

const REFERENCE = 'docs/reference.md';

/** The symbols that have a row in a table with the head `symbol`, or a heading that begins with them. */
export function documentedSymbols(): string[] {
  const inHeadings = sections().flatMap((section) => namesIn(headingOf(section)).slice(0, 1));
  return [...firstCells('symbol'), ...inHeadings];
}

/** The names in the first cells of all tables with this head: `code`, `event`. */
export function firstCells(head: string): string[] {
  const tables = tablesOf(read(REFERENCE)).filter((table) => table.head === head);
  return tables.flatMap(({ cells }) => cells.flatMap(namesIn));
}

/** The tables with the head `option` or `property`, under a heading that begins with their symbol. */
export function memberTables(): MemberTable[] {
  return sections().flatMap((section) => {
    const [symbol] = namesIn(headingOf(section));
    const cells = tablesOf(section).filter(({ head }) => head === 'option' || head === 'property').flatMap((table) => table.cells);
    return symbol === undefined || cells.length === 0 ? [] : [{ symbol, members: cells.flatMap(namesIn) }];
  });
}

interface Table {
  readonly head: string;
  /** The first cell of each row. */
  readonly cells: readonly string[];
}

function tablesOf(text: string): Table[] {
  return [...text.matchAll(/(?:^\|.*\n)+/gm)].map(([table]) => {
    const [head = '', , ...cells] = table.trim().split('\n').map((row) => row.split('|')[1]!.trim());
    return { head, cells };
  });
}

function sections(): string[] {
  return read(REFERENCE).split(/^### /m).slice(1).map((section) => section.split(/^## /m)[0]!);
}

function headingOf(section: string): string {
  return section.split('\n')[0]!;
}

/** `` `a(b)`, `C` `` has the names a and C. */
function namesIn(text: string): string[] {
  return [...text.matchAll(/`([\w-]+)[^`]*`/g)].map(([, name = '']) => name);
}
