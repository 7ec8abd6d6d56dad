import type { Surroundings } from '../surroundings/surroundings.js';
import { jsonText } from './json-text.js';
import { printable } from './printable.js';
import { type Column, recordText, tableText, type TableStyle } from './table.js';

/** How the user wants the data. */
export interface OutputOptions {
  readonly json?: boolean;
  readonly jsonl?: boolean;
  readonly quiet?: boolean;
  readonly raw?: boolean;
}

/** The face of a list: its columns, and the text that names an item where nothing else is wanted. */
export interface Shape<T> {
  readonly columns: readonly Column<T>[];
  readonly id: (item: T) => string;
}

/** A list as it is printed: `items`, and in JSON all else that it has. */
export interface Listed<T> {
  readonly items: readonly T[];
}

export const API_VERSION = 1;

/** Writes data to standard output, and all else to standard error. */
export class Output {
  readonly #surroundings: Surroundings;
  readonly #options: OutputOptions;
  #hasHead = false;

  constructor(surroundings: Surroundings, options: OutputOptions) {
    this.#surroundings = surroundings;
    this.#options = options;
  }

  get isJson(): boolean {
    return this.#options.json === true;
  }

  /** Whether people read the data, not programs. */
  get isForPeople(): boolean {
    const { json, jsonl, quiet } = this.#options;
    return !json && !jsonl && !quiet;
  }

  list<T>(list: Listed<T>, shape: Shape<T>): void {
    const { json, jsonl, quiet } = this.#options;
    if (json) return this.document(list);
    if (jsonl || quiet) return list.items.forEach((item) => this.#line(item, shape));
    this.data(tableText(list.items, shape.columns, this.style));
  }

  /** Adds items to a list that is printed as it comes: JSON has a line for each. */
  stream<T>(items: readonly T[], shape: Shape<T>): void {
    if (items.length === 0) return;
    if (!this.isForPeople) return items.forEach((item) => this.#line(item, shape));
    const text = tableText(items, shape.columns, this.style);
    this.data(this.#hasHead ? text.slice(text.indexOf('\n') + 1) : text);
    this.#hasHead = true;
  }

  /** One thing: as JSON, as its name, or with its properties on lines. */
  record<T extends object>(item: T, { columns, id }: Shape<T>): void {
    const { json, jsonl, quiet } = this.#options;
    if (json) return this.document(item);
    if (jsonl) return this.data(`${jsonText(item)}\n`);
    if (quiet) return this.data(`${printable(id(item))}\n`);
    this.data(recordText(item, columns, this.style));
  }

  /** A table below another one, for people alone. */
  section<T>(title: string, items: readonly T[], columns: readonly Column<T>[]): void {
    if (!this.isForPeople || items.length === 0) return;
    this.data(`\n${title}\n${tableText(items, columns, this.style)}`);
  }

  /** One JSON document. */
  document(value: object): void {
    this.data(`${jsonText({ apiVersion: API_VERSION, ...value }, this.#surroundings.stdout.isTTY ? 2 : 0)}\n`);
  }

  /** Text of which each value is made printable. */
  data(text: string): void {
    this.#surroundings.stdout.write(text);
  }

  /** A sentence that is no data. */
  note(sentence: string): void {
    this.#surroundings.stderr.write(`${printable(sentence)}\n`);
  }

  /** A text on standard error of which each value is made printable. */
  aside(text: string): void {
    this.#surroundings.stderr.write(text);
  }

  get style(): TableStyle {
    const { stdout, env } = this.#surroundings;
    const width = stdout.isTTY && !this.#options.raw ? (stdout.columns ?? null) : null;
    return { isRaw: this.#options.raw === true, width, isColoured: isColoured(stdout.isTTY === true, env) };
  }

  #line<T>(item: T, { id }: Shape<T>): void {
    this.data(`${this.#options.quiet ? printable(id(item)) : jsonText(item)}\n`);
  }
}

/** By no-color.org and force-color.org: the first wins. */
export function isColoured(isTTY: boolean, env: NodeJS.ProcessEnv): boolean {
  if (env['NO_COLOR']) return false;
  const forced = env['FORCE_COLOR'];
  return forced === undefined || forced === '' ? isTTY : forced !== '0';
}
