import { createReadStream } from 'node:fs';
import { unreadable } from './order-files.js';

/** Longer lines are no orders; they are cut here, so that a file without line breaks does not fill the memory. */
const MAX_LINE = 64 * 1024;

export interface PhysicalLine {
  /** Counted from 1. */
  readonly number: number;
  readonly text: string;
}

/**
 * The lines of a UTF-8 file as it is read, without their line breaks (LF or CRLF) and without a byte order mark.
 *
 * @throws MillraceError INVALID_INPUT when the file cannot be read
 */
export async function* physicalLines(file: string): AsyncGenerator<PhysicalLine> {
  let number = 0;
  let rest = '';
  for await (const chunk of chunks(file)) {
    const texts = (rest + chunk).split('\n');
    rest = (texts.pop() ?? '').slice(0, MAX_LINE + 1);
    for (const text of texts) yield physicalLine((number += 1), text);
  }
  if (rest !== '') yield physicalLine(number + 1, rest);
}

async function* chunks(file: string): AsyncGenerator<string> {
  try {
    yield* createReadStream(file, { encoding: 'utf8' }) as AsyncIterable<string>;
  } catch (thrown) {
    throw unreadable(file, thrown);
  }
}

export function isTooLong(line: PhysicalLine): boolean {
  return line.text.length > MAX_LINE;
}

function physicalLine(number: number, text: string): PhysicalLine {
  const whole = number === 1 && text.startsWith('\uFEFF') ? text.slice(1) : text;
  return { number, text: whole.endsWith('\r') ? whole.slice(0, -1) : whole };
}
