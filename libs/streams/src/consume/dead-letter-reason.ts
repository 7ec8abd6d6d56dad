import type { ErrorRecord, GiveUpReason } from '@millrace/core';

/** Why and how a message was given up, as it is stored beside the message itself. */
export interface DeadLetterReason {
  readonly reason: GiveUpReason;
  readonly error: ErrorRecord;
  readonly attempts: number;
  readonly crashes: number;
  /** Unix milliseconds. */
  readonly publishedAt: number | null;
  readonly firstFailedAt: number;
  readonly deadLetteredAt: number;
  readonly origin: { readonly topic: string; readonly partition: number; readonly offset: number; readonly group: string };
}

/** `<partition>:<entry id>`: unique among the dead letters of a group on a topic. */
export function deadLetterId(partition: number, entry: string): string {
  return `${partition}:${entry}`;
}
