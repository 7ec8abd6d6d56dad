import { MillraceError } from '../errors.js';
import { hasHalfCharacter, quote } from '../names.js';

export const MAX_HEADERS = 64;
export const MAX_HEADER_BYTES = 8 * 1024;

const HEADER_NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const MAX_PROBLEMS = 20;

/**
 * Headers on their way out: a plain object of at most 64, names of `A-Z a-z 0-9 . _ -` that begin with a letter or a digit,
 * values strings of at most 8 KiB on one line, without half characters.
 *
 * @throws MillraceError INVALID_HEADERS with the first 20 problems
 */
export function assertHeaders(headers: unknown, where: string): asserts headers is Record<string, string> {
  if (!isPlainObject(headers)) throw new MillraceError('INVALID_HEADERS', `${where}: headers must be a plain object of strings.`);
  const entries = Object.entries(headers);
  if (entries.length > MAX_HEADERS) {
    throw new MillraceError('INVALID_HEADERS', `${where}: there are ${entries.length} headers, more than ${MAX_HEADERS}.`);
  }
  const problems = entries.flatMap(([name, value]) => problemOf(name, value));
  if (problems.length === 0) return;
  throw new MillraceError('INVALID_HEADERS', `${where}: the headers are not valid.`, { problems: problems.slice(0, MAX_PROBLEMS) });
}

/** A Map or a fetch `Headers` has no properties of its own: its contents would be lost without a word. */
function isPlainObject(value: unknown): value is object {
  if (value === null || typeof value !== 'object') return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

function problemOf(name: string, value: unknown): string[] {
  if (!HEADER_NAME.test(name)) return [`${quote(name)} is not allowed as the name of a header`];
  if (typeof value !== 'string') return [`header ${name} must be a string`];
  if (Buffer.byteLength(value) > MAX_HEADER_BYTES) return [`header ${name} is longer than ${MAX_HEADER_BYTES} bytes`];
  if (hasHalfCharacter(value)) return [`header ${name} holds half a character: a surrogate that stands alone`];
  // eslint-disable-next-line no-control-regex -- control characters are what is looked for
  return /[\u0000-\u0008\u000a-\u001f\u007f]/.test(value) ? [`header ${name} holds a control character`] : [];
}
