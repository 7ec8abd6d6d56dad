import { MillraceError } from '@millrace/core';
import { MOST_IN_ENTRY } from '../log/entry-id.js';
import { MAX_BATCH_MESSAGES } from './publish-queue.js';

/** A batch that is about to be sent. */
export interface Packable {
  readonly messages: number;
  /** Whether the batch gathered while another batch of the partition was on its way. */
  readonly follows: boolean;
}

/** How many messages of a batch share an entry at the most. */
export type Packing = (batch: Packable) => number;

/**
 * The members of a group share entries, so a batch has one message an entry as a rule. When a batch is full, or a publisher has
 * more to send than one batch after the other can carry, there is enough for all members, and entries of several messages cost
 * less than half. A batch that would fit into one entry still has one message an entry.
 */
export const packWhenSaturated: Packing = ({ messages, follows }) =>
  follows || messages >= MAX_BATCH_MESSAGES ? Math.min(MOST_IN_ENTRY, Math.ceil(messages / MOST_IN_ENTRY)) : 1;

/**
 * @param messagesPerEntry a fixed number; undefined: by load
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
