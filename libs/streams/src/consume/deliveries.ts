import type { DeadLetterDelivery, Delivery } from '@millrace/core';
import { unreadMessage } from '../log/envelope.js';
import { deadLetterId } from './dead-letter-reason.js';
import type { Notice, ReadableWork, Work } from './work.js';

export type NoticeWork = Work & { readonly notice: Notice };

export function isNotice(work: Work | undefined): work is NoticeWork {
  return Boolean(work?.notice);
}

/** What the handler is given. */
export function deliveryOf(
  { message, offset, attempt, crashes, entry }: ReadableWork,
  { replay, heldUp }: { readonly replay: number | null; readonly heldUp?: AbortSignal },
): Delivery {
  const { topic, partition, group } = entry.stream.partition;
  const { redrive } = message;
  return {
    message, topic, partition, offset, group, attempt, crashes, heldUp, lease: entry,
    replayed: replay !== null,
    // A copy that was put to the topic out of a replay is part of that replay, until a later one.
    replay: Math.max(replay ?? 0, (redrive?.group === group && redrive.replay) || 0),
    get signal() {
      return entry.signal;
    },
  };
}

/** What the handler of dead letters is given. */
export function noticeDeliveryOf(work: NoticeWork): DeadLetterDelivery {
  const { reason, error, attempts, crashes, firstFailedAt, deadLetteredAt } = work.notice.reason;
  const id = deadLetterId(work.entry.stream.partition.partition, work.notice.deadLetterId);
  const deadLetter = { id, reason, error, attempts, crashes, firstFailedAt, deadLetteredAt };
  const message = work.message instanceof Error ? unreadMessage(work.envelope) : work.message;
  return { ...deliveryOf({ ...work, message }, { replay: null }), deadLetter };
}
