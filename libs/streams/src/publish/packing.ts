/** A batch that is about to be sent. */
export interface Packable {
  readonly messages: number;
  /** Whether it gathered while another batch of the partition was on its way. */
  readonly follows: boolean;
}

/** How many messages of a batch share an entry at the most. */
export type Packing = (batch: Packable) => number;

/** A batch of up to so many messages is so many entries, and no entry holds more messages. */
const MOST = 16;

/**
 * The members of a group share entries, so what is published at once is one message an entry, up to a whole batch. When a
 * publisher has more to send than one batch after the other can carry, there is more than enough to share, and entries of
 * several messages cost it, Redis and the members less than half.
 */
export const packWhenSaturated: Packing = ({ messages, follows }) => (follows ? Math.min(MOST, Math.ceil(messages / MOST)) : 1);
