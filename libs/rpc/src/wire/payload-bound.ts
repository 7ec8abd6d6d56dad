import { MillraceError } from '@millrace/core';

/** Most bytes that one UTF-16 unit becomes in UTF-8. */
const BYTES_A_UNIT = 3;

/** @returns null when the text has no more than `most` bytes */
export function tooLarge(subject: string, text: string, most: number): MillraceError | null {
  // Counting bytes takes longer than all else that is done with a small text.
  if (text.length * BYTES_A_UNIT <= most) return null;
  const bytes = Buffer.byteLength(text);
  if (bytes <= most) return null;
  return new MillraceError('PAYLOAD_TOO_LARGE', `${subject} of ${bytes} bytes is too large: at most ${most} are sent. Store it elsewhere, and send where it is.`);
}
