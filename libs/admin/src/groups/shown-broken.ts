import type { BrokenMember } from '@millrace/streams';

/** A member that takes no messages, as operators see it. */
export interface ShownBroken extends Omit<BrokenMember, 'error'> {
  /** The latest error, as text; null when it is hidden: it may quote a message. */
  readonly error: string | null;
  readonly hidden: boolean;
}
