import { MillraceError, quote } from '@millrace/core';

const MOMENT = /^(\d{4}-\d\d-\d\dT\d\d:\d\d)(:\d\d)?(?:\.\d{1,9})?(Z|[+-]\d\d:\d\d)$/;

/**
 * A moment of ISO 8601 with its zone. A Date would take one without a zone for the server's own, and make the 2nd of March of a
 * 30th of February.
 *
 * @throws MillraceError INVALID_OPTIONS
 */
export function momentOf(text: string, header: string): Date {
  const [, date = '', seconds = ':00'] = MOMENT.exec(text) ?? [];
  const moment = new Date(isOnTheCalendar(`${date}${seconds}`) ? text : Number.NaN);
  if (!Number.isNaN(moment.getTime())) return moment;
  const advice = 'Write a day and a time that there is with its zone, such as 2026-12-24T18:00:00Z or 2026-12-24T19:00:00+01:00.';
  throw new MillraceError('INVALID_OPTIONS', `The header ${header} is ${quote(text)}, which is no moment. ${advice}`);
}

/** Whether it comes back as it was written. */
function isOnTheCalendar(local: string): boolean {
  const read = new Date(`${local}Z`);
  return !Number.isNaN(read.getTime()) && read.toISOString().startsWith(local);
}
