import type { PendingDelivery } from './pending-delivery.js';

/**
 * Messages that wait for a handler. Suspects, whose process vanished with them, are taken one by one. Moments are by the
 * monotonic clock, in milliseconds.
 */
export interface HandlerQueue {
  /** How many could be taken as soon as there are slots. */
  readonly length: number;
  /** A share of the places for messages: a read pays when it is free. */
  readonly payingRoom: number;
  readonly hasSuspects: boolean;
  /** Whether a suspect may be taken, once the lone slot of the process is free. */
  readonly wantsLoneSlot: boolean;
  /** Since when the oldest of the messages that are no suspects waits; null when none waits. */
  readonly waitsSinceMs: number | null;
  add(delivery: PendingDelivery, nowMs: number): void;
  /**
   * The next batch without suspects; empty while none is ready. Suspects that still wait are blocked by another one.
   *
   * @param most of its messages at the most; by default as many as fit
   */
  take(nowMs: number, most?: number): PendingDelivery[];
  /** Takes the first of the suspects, for which the caller has taken the lone slot of the process. */
  takeSuspect(nowMs: number): PendingDelivery[];
  /** A suspect has ended: the one that was taken, or one of another subscription of this process. */
  suspectEnded(): void;
  /** A batch that was taken has ended. @returns whether it was a suspect */
  ended(batch: readonly PendingDelivery[]): boolean;
  /** Redis has stored or refused how a message ended, or it is settled by others. */
  settled(delivery: PendingDelivery): void;
  /** How long until a batch without suspects is ready though nothing more comes, in whole milliseconds; null when none waits. */
  readyInMs(nowMs: number): number | null;
  /** How many messages are in batches that are ready, suspects aside. */
  readyNow(nowMs: number): number;
  /** How many suspects wait for another one to end, and for how long. */
  blocked(nowMs: number): { readonly count: number; readonly ms: number };
  /** Takes out the suspects that have waited since this moment, or longer. */
  takeSuspectsSince(momentMs: number): PendingDelivery[];
  /** Takes out up to `count` messages, the newest ones, suspects aside. */
  takeNewest(count: number): PendingDelivery[];
  takeAll(): PendingDelivery[];
}
