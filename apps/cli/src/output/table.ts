import { type Form, shown } from './humanise.js';
import { printable } from './printable.js';
import { clipped, textWidth } from './text-width.js';

/** A column of a table of `T`. */
export interface Column<T> {
  readonly title: string;
  readonly form: Form;
  readonly of: (item: T) => unknown;
  /** In the properties of one thing it is never cut off, and several lines stand on lines of their own. Default false. */
  readonly isWhole?: boolean;
}

export interface TableStyle {
  readonly isRaw: boolean;
  /** Columns of the terminal; null: lines are as long as they are. */
  readonly width: number | null;
  readonly isColoured: boolean;
}

const GAP = '  ';
const LEAST = 12;

/** An aligned table, numbers to the right, a line for each item. */
export function tableText<T>(items: readonly T[], columns: readonly Column<T>[], style: TableStyle): string {
  const head = columns.map(({ title }) => title.toUpperCase());
  const body = items.map((item) => columns.map(({ form, of }) => printable(shown(form, of(item), style.isRaw))));
  const wanted = columns.map((_, index) => [head, ...body].reduce((width, row) => Math.max(width, textWidth(row[index]!)), 0));
  const widths = fitted(wanted, style.width);
  const line = (row: readonly string[]): string => {
    return row.map((cell, index) => padded(cell, widths[index]!, columns[index]!.form.isNumber)).join(GAP).trimEnd();
  };
  const first = style.isColoured ? `\u001B[1m${line(head)}\u001B[22m` : line(head);
  return [first, ...body.map(line)].map((text) => `${text}\n`).join('');
}

/** The properties of one thing, each on its line or, of several lines, below its name. */
export function recordText<T>(item: T, fields: readonly Column<T>[], { isRaw, width }: TableStyle): string {
  const widest = Math.max(...fields.map(({ title }) => title.length));
  const room = width === null ? Infinity : Math.max(LEAST, width - widest - GAP.length);
  return fields.map(({ title, form, of, isWhole }) => {
    const text = shown(form, of(item), isRaw);
    if (isWhole && /\n./.test(text)) return `${title}\n${indented(text)}`;
    return `${title.padEnd(widest)}${GAP}${clipped(printable(text), isWhole ? Infinity : room)}\n`;
  }).join('');
}

/** The lines of a text below the name of its field: none of them looks like a field. */
function indented(text: string): string {
  return text.trimEnd().split(/\r?\n/).map((line) => `${`${GAP}${printable(line)}`.trimEnd()}\n`).join('');
}

/** The last column gives way where the terminal is too narrow, then the ones before it. */
function fitted(widths: readonly number[], columns: number | null): number[] {
  const fit = [...widths];
  if (columns === null) return fit;
  let excess = fit.reduce((sum, width) => sum + width + GAP.length, -GAP.length) - columns;
  for (let index = fit.length - 1; index >= 0 && excess > 0; index -= 1) {
    const given = Math.min(excess, Math.max(0, fit[index]! - LEAST));
    fit[index]! -= given;
    excess -= given;
  }
  return fit;
}

function padded(cell: string, width: number, isNumber: boolean): string {
  const text = isNumber ? cell : clipped(cell, width);
  const space = ' '.repeat(Math.max(0, width - textWidth(text)));
  return isNumber ? space + text : text + space;
}
