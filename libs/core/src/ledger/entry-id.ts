import { MillraceError } from '../errors.js';
import { hasHalfCharacter, quote } from '../names.js';

const MOST_ID_BYTES = 256;

/** Whether it can be the id of an entry: 1 to 256 bytes of UTF-8. */
export function isEntryId(id: unknown): id is string {
  return typeof id === 'string' && id !== '' && isShort(id) && !hasHalfCharacter(id);
}

/** @throws MillraceError INVALID_INPUT */
export function assertEntryId(id: string): void {
  if (isEntryId(id)) return;
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

function isShort(id: string): boolean {
  return id.length <= MOST_ID_BYTES && (id.length * 3 <= MOST_ID_BYTES || Buffer.byteLength(id) <= MOST_ID_BYTES);
}
