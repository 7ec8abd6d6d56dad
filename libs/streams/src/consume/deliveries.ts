import type { DeadLetterDelivery } from '@millrace/core';
import { deadLetterId } from './dead-letter-reason.js';
import type { Notice, Work } from './work.js';

export type NoticeWork = Work & { readonly notice: Notice };

export function isNotice(work: Work | undefined): work is NoticeWork {
  return Boolean(work?.notice);
}

/** What the handler of dead letters is given. */
export function noticeDeliveryOf(work: NoticeWork): DeadLetterDelivery {
  const { message, topic, partition, offset, group, attempt, crashes, lease, heldUp } = work;
  const { reason, error, attempts, crashes: crashesBefore, firstFailedAt, deadLetteredAt } = work.notice.reason;
  const id = deadLetterId(partition, work.notice.deadLetterId);
  const deadLetter = { id, reason, error, attempts, crashes: crashesBefore, firstFailedAt, deadLetteredAt };
  const delivery = { message, topic, partition, offset, group, attempt, crashes, lease, heldUp, replayed: false };
  return {
    ...delivery, deadLetter,
    get signal() {
      return lease.signal;
    },
  };
}
