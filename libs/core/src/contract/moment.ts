/** A day alone, which is one in UTC, or a time with its zone. */
const ISO_MOMENT = /^(\d{4}-\d\d-\d\d)(?:T\d\d:\d\d(?::\d\d(?:\.\d{1,3}0*)?)?(?:Z|[+-]\d\d:\d\d))?$/;

/**
 * Whether a text is the ISO 8601 form of a Date, the same wherever it is read: without a zone it would mean another moment in
 * another place, finer than milliseconds it would be cut, and 30 February would become 2 March.
 */
export function isMomentOf(text: unknown, date: unknown): boolean {
  if (typeof text !== 'string' || !(date instanceof Date) || Number.isNaN(date.getTime())) return false;
  if (date.toISOString() === text) return true;
  const day = ISO_MOMENT.exec(text)?.[1];
  return day !== undefined && new Date(text).getTime() === date.getTime() && new Date(day).toISOString().startsWith(day);
}
