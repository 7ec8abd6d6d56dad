import { MillraceError } from '@millrace/core';

/** The columns that a file of orders must have, in any order; others may stand beside them. */
export const COLUMNS = [
  'InvoiceNo',
  'StockCode',
  'Description',
  'Quantity',
  'InvoiceDate',
  'UnitPrice',
  'CustomerID',
  'Country',
] as const;

export type Row = Readonly<Record<(typeof COLUMNS)[number], string>>;

/** Finds the fields of a record by the names in the header of its file. */
export class Header {
  readonly #width: number;
  readonly #positions: readonly (readonly [keyof Row, number])[];

  /** @throws MillraceError INVALID_INPUT when a column is missing or there twice */
  constructor(file: string, names: readonly string[]) {
    const trimmed = names.map((name) => name.trim());
    const problems = COLUMNS.flatMap((column) => problemOf(column, trimmed));
    if (problems.length > 0) throw notOrders(file, problems);
    this.#width = names.length;
    this.#positions = COLUMNS.map((column) => [column, trimmed.indexOf(column)]);
  }

  /** Fields that a record must have. */
  get width(): number {
    return this.#width;
  }

  row(fields: readonly string[]): Row {
    return Object.fromEntries(this.#positions.map(([column, position]) => [column, fields[position] ?? ''])) as Row;
  }
}

/** The error of a file that has other columns, or none. */
export function notOrders(file: string, problems: readonly string[]): MillraceError {
  return new MillraceError(
    'INVALID_INPUT',
    `${file} is no file of orders: its first line must name the columns ${COLUMNS.join(', ')}. Nothing was published.`,
    { problems },
  );
}

function problemOf(column: string, names: readonly string[]): string[] {
  const count = names.filter((name) => name === column).length;
  if (count === 1) return [];
  return [count === 0 ? `the column ${column} is missing` : `the column ${column} is there ${count} times`];
}
