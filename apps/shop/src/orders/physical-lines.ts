import { isUtf8 } from 'node:buffer';
import { createReadStream } from 'node:fs';
import { MillraceError } from '@millrace/core';
import type { Encoding } from './encoding.js';
import { formatProblem } from './file-format.js';
import { unreadable } from './order-files.js';

/** In bytes. Longer lines are no orders; they are cut here, so that a file without line breaks does not fill the memory. */
const MAX_LINE = 64 * 1024;
const LF = 0x0a;

export interface PhysicalLine {
  /** Counted from 1. */
  readonly number: number;
  readonly text: string;
}

export interface FileReading {
  readonly encoding: Encoding;
  /** Ends the reading. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * The lines of a text file as it is read, without their line breaks (LF or CRLF) and without a byte order mark.
 *
 * @throws MillraceError INVALID_INPUT when the file cannot be read, is of another format, or has other text than the
 *   encoding says; an AbortError when the signal aborts
 */
export async function* physicalLines(file: string, { encoding, signal }: FileReading): AsyncGenerator<PhysicalLine> {
  const decode = encoding === 'latin1' ? decodeLatin1 : decodeUtf8;
  let number = 0;
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of chunks(file, signal)) {
    const bytes = Buffer.concat([rest, chunk]);
    let start = 0;
    for (let end = bytes.indexOf(LF); end !== -1; end = bytes.indexOf(LF, start)) {
      yield physicalLine((number += 1), decode(bytes.subarray(start, end), file, number));
      start = end + 1;
    }
    rest = bytes.subarray(start, start + MAX_LINE + 1);
  }
  if (rest.length > 0) yield physicalLine(number + 1, decode(rest, file, number + 1));
}

async function* chunks(file: string, signal: AbortSignal | undefined): AsyncGenerator<Buffer> {
  let first = true;
  try {
    for await (const chunk of createReadStream(file, signal ? { signal } : {}) as AsyncIterable<Buffer>) {
      if (first) assertFormat(file, chunk);
      first = false;
      yield chunk;
    }
  } catch (thrown) {
    throw signal?.aborted || thrown instanceof MillraceError ? thrown : unreadable(thrown);
  }
}

function assertFormat(file: string, start: Buffer): void {
  const problem = formatProblem(start);
  if (problem !== null) throw new MillraceError('INVALID_INPUT', `${file} cannot be read as orders, and nothing was published: ${problem}`);
}

function decodeUtf8(bytes: Buffer, file: string, line: number): string {
  if (isCut(bytes)) return decodeLatin1(bytes);
  if (isUtf8(bytes)) return bytes.toString('utf8');
  throw new MillraceError(
    'INVALID_INPUT',
    `${file}:${line}: its text is not UTF-8, and nothing was published. If it is Latin-1, say so with --encoding latin1; else ` +
      'convert it, as with iconv -f WINDOWS-1252 -t UTF-8.',
  );
}

function decodeLatin1(bytes: Buffer): string {
  return bytes.toString('latin1');
}

/** Its last character may be cut, too; and nobody reads it. */
function isCut(bytes: Buffer): boolean {
  return bytes.length > MAX_LINE;
}

export function isTooLong(line: PhysicalLine): boolean {
  return line.text.length > MAX_LINE;
}

function physicalLine(number: number, text: string): PhysicalLine {
  const whole = number === 1 && text.startsWith('\uFEFF') ? text.slice(1) : text;
  return { number, text: whole.endsWith('\r') ? whole.slice(0, -1) : whole };
}
