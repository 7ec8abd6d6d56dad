import { asError, isMillraceError, MillraceError, type MillraceErrorDetails, UnreadablePayloadError } from '../errors.js';
import { type Change, changedError, isForeign } from './change.js';
import { instantiate } from './instantiate.js';
import { type PayloadText, payloadText } from './payload-text.js';
import { isReserved, putBack, type ReservedProperty, setAside } from './reserved-names.js';
import { changesOf } from './round-trip.js';
import { isData, MAX_PAYLOAD_DEPTH, pathText } from './survey.js';
import type { PayloadClass } from './topic.js';
import { problemsIn } from './validation.js';

export { MAX_PAYLOAD_BYTES, MAX_PAYLOAD_DEPTH } from './survey.js';

const MAX_PROBLEMS = 50;

/**
 * Checks a payload on its way out and makes it JSON text. A plain object is taken for an instance of the class. What is
 * delivered equals what was published, and what cannot is refused:
 * - JSON values, arrays, plain objects and instances of classes travel by their own enumerable properties. One that is
 *   undefined is left out; -0 becomes 0.
 * - What JSON has no word for (a bigint, a Map), and what says itself what it is in JSON (a Date, any object with `toJSON`),
 *   is published only when the class makes the same value of it again, by `@Type` or `@Transform`.
 * - A class that converts (`@Type(() => Number)`, `@Transform`, accessors) is compared with what was given: `'5'` for a number is
 *   refused, not delivered as 5. The text of a moment in ISO 8601, with its zone, may stand for a Date.
 * - A class with `@Expose`, `@Exclude` or `@Transform` goes through class-transformer in both directions.
 * - It is validated as its subscribers will see it.
 *
 * `JSON.stringify(JSON.parse(text))` gives the same text again.
 *
 * @param where what the caller called, for the error: `publish(OrderPlaced)`
 * @throws MillraceError INVALID_PAYLOAD, UNSERIALIZABLE_PAYLOAD, PAYLOAD_TOO_LARGE
 */
export async function encodePayload<T extends object>(type: PayloadClass<T>, payload: T, where: string): Promise<string> {
  const text = textOf(type, payload, where);
  const stored: unknown = JSON.parse(text.json);
  const read = await readInstance(type, stored);
  if ('fault' in read) throw new MillraceError('INVALID_PAYLOAD', `${where}: ${read.fault}`, read.details);
  const { instance, problems } = read;
  const changes = withOwnCode(where, () => changesOf({ type, given: payload, text, stored, delivered: instance }));
  // The rules look at what would be delivered. Where that is not what was given, they would name the consequence alone.
  const lost = problems.length === 0 ? changes : changes.filter(isLost);
  if (lost.length > 0) throw changedError(where, lost, problems.filter((problem) => !lost.some(isToldBy(problem))));
  if (problems.length > 0) throw new MillraceError('INVALID_PAYLOAD', `${where}: ${noValid(type)}`, { problems });
  return text.json;
}

/**
 * Makes parsed JSON an instance of the payload's class and validates it. Properties that the class does not declare are
 * kept: a newer publisher may send more than this consumer knows. `plain` stays as it is; the instance may share parts of it.
 *
 * @throws UnreadablePayloadError (INVALID_PAYLOAD) with the first 50 problems
 */
export async function decodePayload<T extends object>(type: PayloadClass<T>, plain: unknown, where: string): Promise<T> {
  const read = await readInstance(type, plain);
  if ('fault' in read) throw new UnreadablePayloadError(`${where}: ${read.fault}`, read.details);
  const { instance, problems } = read;
  if (problems.length > 0) throw new UnreadablePayloadError(`${where}: ${noValid(type)}`, { problems });
  return instance as T;
}

function textOf(type: PayloadClass, payload: unknown, where: string): PayloadText {
  if (payload === undefined || !['object', 'string', 'number', 'boolean'].includes(typeof payload)) {
    throw new MillraceError('UNSERIALIZABLE_PAYLOAD', `${where}: the payload is of type ${typeof payload}, which JSON does not have.`);
  }
  if (!isObject(payload)) throw new MillraceError('INVALID_PAYLOAD', `${where}: ${noObject(type)}`);
  return withOwnCode(where, () => payloadText(type, payload, where));
}

/** Getters and transformations are code of the user, which may throw. */
function withOwnCode<T>(where: string, run: () => T): T {
  try {
    return run();
  } catch (thrown) {
    if (isMillraceError(thrown)) throw thrown;
    const cause = asError(thrown);
    throw new MillraceError('UNSERIALIZABLE_PAYLOAD', `${where}: the payload cannot be written as JSON: ${cause.message}`, { cause });
  }
}

/** JSON does not have it, so no publisher could send it. An invalid date is none anywhere: the rules say so. */
function isLost({ given }: Change): boolean {
  return isForeign(given) && !(given instanceof Date && Number.isNaN(given.getTime()));
}

function isToldBy(problem: string): (change: Change) => boolean {
  return ({ path }) => problem.startsWith(`${pathText(path)} `);
}

function isObject(payload: unknown): payload is object {
  if (payload === null || typeof payload !== 'object' || Array.isArray(payload)) return false;
  return isData(payload) || typeof (payload as { toJSON?: unknown }).toJSON === 'function';
}

function noObject(type: PayloadClass): string {
  return `the payload must be an object of ${type.name}.`;
}

function noValid(type: PayloadClass): string {
  return `the payload is no valid ${type.name}.`;
}

type Read =
  | { readonly instance: object; readonly problems: readonly string[] }
  | { readonly fault: string; readonly details?: MillraceErrorDetails };

async function readInstance(type: PayloadClass, plain: unknown): Promise<Read> {
  if (plain === null || typeof plain !== 'object' || Array.isArray(plain)) return { fault: noObject(type) };
  const look = lookAt(plain, MAX_PAYLOAD_DEPTH);
  if (look === 'too deep') return { fault: `the payload nests deeper than ${MAX_PAYLOAD_DEPTH} levels.` };
  const reserved: ReservedProperty[] = [];
  const made = make(type, look === 'reserved names' ? (setAside(plain, reserved) as object) : plain);
  if (made instanceof Error) return { fault: `the payload cannot be made an instance of ${type.name}: ${made.message}`, details: { cause: made } };
  const problems = await problemsIn(made.instance);
  const lost = putBack(made.instance, reserved).map(({ path, name }) => `${[...path, name].join('.')} has no place in the class`);
  return { instance: made.instance, problems: [...problems, ...lost].slice(0, MAX_PROBLEMS) };
}

/** The class's constructor and its transformations are code of the user: what they do not take is not valid. */
function make(type: PayloadClass, plain: object): { instance: object } | Error {
  try {
    return { instance: instantiate(type, plain) };
  } catch (thrown) {
    return asError(thrown);
  }
}

type Look = 'plain' | 'reserved names' | 'too deep';

/** Before anything recursive of a library's walks through it. */
function lookAt(value: object, levels: number): Look {
  if (levels === 0) return 'too deep';
  let look: Look = 'plain';
  for (const name of Object.keys(value)) {
    const part: unknown = Reflect.get(value, name);
    const inside = part !== null && typeof part === 'object' ? lookAt(part, levels - 1) : 'plain';
    if (inside === 'too deep') return inside;
    if (inside !== 'plain' || isReserved(name)) look = 'reserved names';
  }
  return look;
}
