import { instanceToPlain } from 'class-transformer';
import { type Change, isForeign, kindOf } from './change.js';
import { type Class, hasTransform, shapeOf } from './class-shape.js';
import { type Difference, differencesOf, partOf } from './comparison.js';
import { instantiate } from './instantiate.js';
import type { PayloadText } from './payload-text.js';
import type { Path } from './payload-inspector.js';

const NUMERAL = /^(-?(?:0|[1-9]\d*))(?:\.(\d+))?$/;

/** A payload, and the payload that would be delivered for it. */
export interface RoundTrip {
  readonly type: Class;
  readonly given: object;
  readonly text: PayloadText;
  /** The text, parsed. */
  readonly stored: unknown;
  readonly delivered: object;
}

/** Not for payloads of plain classes: JSON has each of their values. */
export function isCompared({ type, text }: RoundTrip): boolean {
  return text.isTransformed || text.hasForeign || shapeOf(type).converts;
}

/**
 * Finds the values that would be delivered as others than were given. A change that the class asks for does not count:
 * - the JSON form of a value that the class makes again and writes as the same text, or as the same number: a Map's object, a
 *   Date's text, '12.50' for a decimal, 5 for a bigint;
 * - the result of a `@Transform`: text, a number or a list that a second trip leaves as it is.
 */
export function changesOf(trip: RoundTrip): readonly Change[] {
  const { type, given, text, stored, delivered } = trip;
  const mayLeaveOut = text.isTransformed || shapeOf(type).discriminates;
  const differences = differencesOf(given, delivered, { stored, mayLeaveOut, isTransformed: hasTransform });
  return differences.length > 0 && text.isTransformed ? unexplained(type, delivered, differences) : differences;
}

function unexplained(type: Class, delivered: object, differences: readonly Difference[]): readonly Difference[] {
  const second = secondTrip(type, delivered);
  if (second === null) return differences;
  return differences.filter(({ path, given, delivered: value, isTransformed }) => {
    const written = partAt(second.written, path);
    if (isSame(given, written) || (isMadeAgain(value) && isOneNumber(given, written))) return false;
    const mayBeSettled = isTransformed && !isForeign(given) && kindOf(given) === kindOf(value);
    return !(mayBeSettled && isSame(value, partAt(second.delivered, path)));
  });
}

/** JSON has the value itself of text, numbers and booleans only. */
function isMadeAgain(value: unknown): boolean {
  return typeof value === 'bigint' || typeof value === 'object';
}

/** Null when the class does not take what it writes itself. */
function secondTrip(type: Class, delivered: object): { written: object; delivered: object } | null {
  try {
    const written = JSON.parse(JSON.stringify(instanceToPlain(delivered))) as object;
    return { written, delivered: instantiate(type, written) };
  } catch {
    // The user's own transformation threw. The changes that it made show what is wrong with it.
    return null;
  }
}

function isSame(one: unknown, other: unknown): boolean {
  return differencesOf(one, other, { mayLeaveOut: false, isTransformed: () => false }).length === 0;
}

function partAt(whole: unknown, path: Path): unknown {
  return path.reduce<unknown>(partOf, whole);
}

/** Whether both are one decimal number, as text or as a number: 5 and '5', '12.50' and '12.5'. */
function isOneNumber(one: unknown, other: unknown): boolean {
  const number = numeralOf(one);
  return number !== null && number === numeralOf(other);
}

/** Without zeros at its end; null for all that is no number as JSON writes it, or has an exponent. */
function numeralOf(value: unknown): string | null {
  if (typeof value !== 'string' && typeof value !== 'number') return null;
  const [, whole = null, fraction = ''] = NUMERAL.exec(String(value)) ?? [];
  const rest = fraction.replace(/0+$/, '');
  return rest === '' ? whole : `${whole}.${rest}`;
}
