import { MillraceError } from '../errors.js';
import { hasHalfCharacter, quote } from '../names.js';

/** The bound for ids that others choose. */
const MOST_CHOSEN_BYTES = 256;
/** One that others chose may stand in a longer one. */
const MOST_ID_BYTES = 300;

/** Whether it can be the id of a piece of work: 1 to 256 bytes of UTF-8. */
export function isEntryId(id: unknown): id is string {
  return isText(id, MOST_CHOSEN_BYTES);
}

/** @throws MillraceError INVALID_INPUT */
export function assertEntryId(id: string): void {
  if (isText(id, MOST_ID_BYTES)) return;
  throw new MillraceError(
    'INVALID_INPUT',
    `${quote(id)} cannot be the id of an entry: use a text of 1 to ${MOST_ID_BYTES} bytes of UTF-8, without half of a surrogate pair.`,
  );
}

/** @throws MillraceError INVALID_INPUT */
export function assertEntryWord(what: 'holder' | 'token', word: string): void {
  if (typeof word === 'string' && WORD.test(word)) return;
  throw new MillraceError('INVALID_INPUT', `${quote(word)} cannot be the ${what} of an entry: use 1 to 256 visible ASCII characters.`);
}

const WORD = /^[!-~]{1,256}$/;

function isText(id: unknown, most: number): id is string {
  return typeof id === 'string' && id !== '' && isShort(id, most) && !hasHalfCharacter(id);
}

function isShort(id: string, most: number): boolean {
  return id.length <= most && (id.length * 3 <= most || Buffer.byteLength(id) <= most);
}
