import { CsvError, parse } from 'csv-parse/sync';
import { isTooLong, type PhysicalLine } from './physical-lines.js';

/** One record of a CSV file: its fields, or why it has none. */
export type CsvRecord =
  | { readonly line: number; readonly fields: readonly string[] }
  | { readonly line: number; readonly problem: string };

/** A quoted field that holds more line breaks than this was never closed. */
const MAX_LINES = 32;

const TOO_LONG = 'it is longer than 64 KiB';
const UNCLOSED = 'a quote is not closed';
const MISPLACED = 'a quote is neither at the beginning nor at the end of a field, nor doubled';

/**
 * Puts lines together to records. A quoted field may hold line breaks, and a quote that is never closed looks the same
 * until the end of the file: when the lines taken together are no record, the first one is at fault, and reading goes on
 * with the next. So one bad quote costs one line.
 */
export class RecordAssembler {
  /** Fields that a record must have; null until the header is known. */
  width: number | null = null;
  #waiting: PhysicalLine[] = [];

  *push(line: PhysicalLine): Generator<CsvRecord> {
    const queue = [line];
    for (let next = queue.shift(); next; next = queue.shift()) {
      const record = this.#take(next);
      if (!record) continue;
      yield record;
      queue.unshift(...this.#waiting.splice(0));
    }
  }

  /** The records that are left when the file ends. */
  *end(): Generator<CsvRecord> {
    while (this.#waiting.length > 0) {
      yield this.#refuse(UNCLOSED);
      for (const line of this.#waiting.splice(0)) yield* this.push(line);
    }
  }

  /** A record, or null while more lines are needed. After a refusal the lines behind the refused one are still waiting. */
  #take(line: PhysicalLine): CsvRecord | null {
    const first = this.#waiting[0] ?? line;
    const alone = first === line;
    if (alone && line.text === '') return null;
    this.#waiting.push(line);
    if (isTooLong(line) || this.#waiting.length > MAX_LINES) return this.#refuse(alone ? TOO_LONG : UNCLOSED);
    const text = this.#waiting.map((part) => part.text).join('\n');
    if (!isBalanced(text)) return null;
    const fields = parseRecord(text);
    if (!fields) return this.#refuse(alone ? MISPLACED : UNCLOSED);
    if (!this.#fits(fields)) return this.#refuse(alone ? `it has ${fields.length} columns, not ${this.width}` : UNCLOSED);
    this.#waiting = [];
    return { line: first.number, fields };
  }

  #refuse(problem: string): CsvRecord {
    return { line: this.#waiting.shift()?.number ?? 0, problem };
  }

  #fits(fields: readonly string[]): boolean {
    return this.width === null || fields.length === this.width;
  }
}

/** The fields of one record; null when its quoting is wrong. */
function parseRecord(text: string): readonly string[] | null {
  // Setting up the parser costs more than all the rest of the reading, and without a quote there is nothing to parse.
  if (!text.includes('"')) return text.split(',');
  try {
    return parse(text, { record_delimiter: '\n' })[0] ?? null;
  } catch (thrown) {
    if (thrown instanceof CsvError) return null;
    throw thrown;
  }
}

function isBalanced(text: string): boolean {
  let quotes = 0;
  for (let at = text.indexOf('"'); at !== -1; at = text.indexOf('"', at + 1)) quotes += 1;
  return quotes % 2 === 0;
}
