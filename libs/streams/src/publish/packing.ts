import { MillraceError } from '@millrace/core';
import { MOST_IN_ENTRY } from '../log/entry-id.js';

/** A batch that is about to be sent. */
export interface Packable {
  readonly messages: number;
  /** Whether it gathered while another batch of the partition was on its way. */
  readonly follows: boolean;
}

/** How many messages of a batch share an entry at the most. */
export type Packing = (batch: Packable) => number;

/**
 * The members of a group share entries, so what is published at once is one message an entry, up to a whole batch. When a
 * publisher has more to send than one batch after the other can carry, there is more than enough to share, and entries of
 * several messages cost it, Redis and the members less than half. A batch as large as an entry is so many entries still.
 */
export const packWhenSaturated: Packing = ({ messages, follows }) =>
  follows ? Math.min(MOST_IN_ENTRY, Math.ceil(messages / MOST_IN_ENTRY)) : 1;

/**
 * @param messagesPerEntry so many, always; undefined: by load
 * @throws MillraceError INVALID_OPTIONS
 */
export function packingOf(messagesPerEntry: number | undefined): Packing {
  if (messagesPerEntry === undefined) return packWhenSaturated;
  const isSize = Number.isSafeInteger(messagesPerEntry) && messagesPerEntry >= 1 && messagesPerEntry <= MOST_IN_ENTRY;
  if (isSize) return () => messagesPerEntry;
  throw new MillraceError(
    'INVALID_OPTIONS',
    `messagesPerEntry must be a whole number from 1 to ${MOST_IN_ENTRY}, not ${String(messagesPerEntry)}: the id of an entry has place for no ` +
      'more. Leave it out to pack by load.',
  );
}
