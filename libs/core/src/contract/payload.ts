import { asError, isMillraceError, MillraceError, type MillraceErrorDetails, UnreadablePayloadError } from '../errors.js';
import { AnyJson } from './any-json.js';
import { type Change, changedError, isForeign } from './change.js';
import type { Form } from './declared.js';
import { FlatClass } from './flat-class.js';
import type { TextWish } from './flat-form.js';
import { instantiate } from './instantiate.js';
import { assertInJson, jsonPayload, jsonText } from './json-payload.js';
import { lookAt } from './look.js';
import { withOwnCode } from './own-code.js';
import { sortedJson } from './payload-digest.js';
import { type PayloadText, payloadText } from './payload-text.js';
import { putBack, type ReservedProperty, setAside } from './reserved-names.js';
import { changesOf, isCompared } from './round-trip.js';
import { sift, type Sifted, undeclaredProblem } from './sieve.js';
import { isData, MAX_PAYLOAD_DEPTH, pathText } from './payload-inspector.js';
import type { PayloadClass } from './topic.js';
import type { UnknownProperties } from './unknown-properties.js';
import { problemsIn } from './validation.js';

export { MAX_PAYLOAD_BYTES, MAX_PAYLOAD_DEPTH } from './payload-inspector.js';

const MAX_PROBLEMS = 50;

/** The place where a payload is read or written, and the rule of its contract. */
export interface PayloadPlace {
  /** The call, or the source that was read, for the error: `publish(OrderPlaced)`. */
  readonly where: string;
  /** How properties are treated that the class does not declare. Default `keep`: all of them are data like others. */
  readonly unknownProperties?: UnknownProperties;
}

type At = string | PayloadPlace;

/**
 * Checks a payload on its way out and makes it JSON text. A plain object is taken for an instance of the class. Handlers get
 * a payload that equals the published one, and a payload for which that is impossible is refused:
 * - JSON values, arrays, plain objects and instances of classes travel by their own enumerable properties. One that is
 *   undefined is left out; -0 becomes 0.
 * - A value that JSON does not have (a bigint, a Map), or that decides its own JSON (a Date, any object with `toJSON`), is
 *   published only when the class makes the same value of it again, by `@Type` or `@Transform`.
 * - The result of a class that converts (`@Type(() => Number)`, `@Transform`, accessors) is compared with the given payload:
 *   `'5'` for a number is refused, not delivered as 5. The text of a moment in ISO 8601, with its zone, may stand for a Date.
 * - A class with `@Expose`, `@Exclude` or `@Transform` goes through class-transformer in both directions.
 * - It is validated as its subscribers will see it.
 *
 * `JSON.stringify(JSON.parse(text))` gives the same text again.
 *
 * @param at its {@link PayloadPlace}, or only where
 * @throws MillraceError INVALID_PAYLOAD, UNSERIALIZABLE_PAYLOAD, PAYLOAD_TOO_LARGE
 */
export async function encodePayload<T extends object>(type: PayloadClass<T>, payload: T, at: At): Promise<string> {
  const { where, unknownProperties } = placeOf(at);
  return encoded(type, { given: { payload, where }, unknownProperties, isSorted: false });
}

/** A payload on its way out, and the requirements for its text. */
export interface PayloadWish extends TextWish {
  /** `where` is read only for an error. */
  readonly given: { readonly payload: unknown; readonly where: string };
}

/** As {@link encodePayload}, for {@link AnyJson} too; it waits only for rules that take their time, and may throw at once. */
export function encoded(type: PayloadClass, wish: PayloadWish): Encoding {
  if (type === AnyJson) return jsonText(wish);
  return FlatClass.of(type)?.encode(wish.given.payload, wish) ?? encodedWhole(type, wish);
}

type Encoding = string | Promise<string>;

/** As {@link encoded}, with the object that the text would be read back as: for a library that writes the text itself. */
export function plainPayload(type: PayloadClass, wish: Omit<PayloadWish, 'isSorted'>): object | Promise<object> {
  const flat = FlatClass.of(type)?.plain(wish.given.payload, wish.unknownProperties);
  if (flat) return flat;
  const encoding = encodedWhole(type, { ...wish, isSorted: false });
  return typeof encoding === 'string' ? plainOf(encoding) : encoding.then(plainOf);
}

function plainOf(json: string): object {
  return JSON.parse(json) as object;
}

function encodedWhole(type: PayloadClass, { given, unknownProperties, isSorted }: PayloadWish): Encoding {
  const payload = given.payload as object;
  const place = { where: given.where, unknownProperties };
  // Nothing is waited for before all has been read: the caller may go on with its object.
  const found = sifted(type, { payload, form: 'given' }, place);
  if (isRefused(found, place)) {
    assertSize(type, payload, place.where);
    return refusedUndeclared(type, found, place.where);
  }
  const text = textOf(type, found.declared, place.where);
  const parsed = JSON.parse(text.json) as object;
  const inJson = found.saysItself ? sifted(type, { payload: parsed, form: 'stored' }, place) : null;
  if (inJson && isRefused(inJson, place)) return refusedUndeclared(type, inJson, place.where);
  const stored = inJson?.declared ?? parsed;
  // Written before the instance is made, which shares parts with it: rules are the user's, and may change those.
  const json = stored === parsed ? text.json : JSON.stringify(stored);
  const made = madeOf(type, stored);
  if ('fault' in made) throw new MillraceError('INVALID_PAYLOAD', `${place.where}: ${made.fault}`, made.details);
  const trip = { type, given: found.declared, text, stored, delivered: made.instance };
  const changes = isCompared(trip) ? withOwnCode(place.where, () => changesOf(trip)) : [];
  const concluded = (problems: readonly string[]): string => {
    if (changes.length + problems.length > 0) throw refusal(type, { changes, problems }, place.where);
    return isSorted ? sortedJson(JSON.parse(json)) : json;
  };
  const problems = faultsIn(made);
  return 'then' in problems ? problems.then(concluded) : concluded(problems);
}

/**
 * Makes parsed JSON an instance of the payload's class and validates it. Properties that the class does not declare are no
 * fault: a newer publisher may send more than this consumer knows. `plain` stays as it is; the instance may share parts of it.
 *
 * @param at its {@link PayloadPlace}, or only where
 * @throws UnreadablePayloadError (INVALID_PAYLOAD) with the first 50 problems
 */
export async function decodePayload<T extends object>(type: PayloadClass<T>, plain: unknown, at: At): Promise<T> {
  return (await decoded(type, plain, at)) as T;
}

/**
 * As {@link decodePayload}; it waits only for rules that take their time, and may throw at once. For {@link AnyJson} it returns
 * `plain` itself, which may be no object then.
 */
export function decoded(type: PayloadClass, plain: unknown, at: At): Decoding {
  const place = placeOf(at);
  if (type === AnyJson) return jsonPayload(plain, place.where) as object;
  return FlatClass.of(type)?.decode(plain, place.unknownProperties) ?? decodedWhole(type, plain, place);
}

type Decoding = object | Promise<object>;

function decodedWhole(type: PayloadClass, plain: unknown, { where, unknownProperties }: Required<PayloadPlace>): Decoding {
  const made = madeOf(type, unknownProperties === 'keep' ? plain : declaredOnly(type, plain));
  if ('fault' in made) throw new UnreadablePayloadError(`${where}: ${made.fault}`, made.details);
  const concluded = (problems: readonly string[]): object => {
    if (problems.length > 0) throw new UnreadablePayloadError(`${where}: ${noValid(type)}`, { problems });
    return made.instance;
  };
  const problems = faultsIn(made);
  return 'then' in problems ? problems.then(concluded) : concluded(problems);
}

function placeOf(at: At): Required<PayloadPlace> {
  if (typeof at === 'string') return { where: at, unknownProperties: 'keep' };
  return { where: at.where, unknownProperties: at.unknownProperties ?? 'keep' };
}

interface Sifting {
  readonly payload: unknown;
  readonly form: Form;
}

function sifted(type: PayloadClass, { payload, form }: Sifting, { where, unknownProperties }: Required<PayloadPlace>): Sifted {
  if (unknownProperties === 'keep' || !isObject(payload)) return { declared: payload as object, undeclared: [], saysItself: false };
  return withOwnCode(where, () => sift(type, payload, form));
}

function isRefused({ undeclared }: Sifted, { unknownProperties }: Required<PayloadPlace>): boolean {
  return unknownProperties === 'refuse' && undeclared.length > 0;
}

/** A payload that is too large is refused for its size alone, and not inspected further. */
function assertSize(type: PayloadClass, payload: object, where: string): void {
  try {
    textOf(type, payload, where);
  } catch (thrown) {
    if (isMillraceError(thrown) && thrown.code === 'PAYLOAD_TOO_LARGE') throw thrown;
    // Any other error may come from the undeclared properties, which are reported.
  }
}

/** Adds the other problems, so that all are reported at once. */
async function refusedUndeclared(type: PayloadClass, { declared, undeclared }: Sifted, where: string): Promise<never> {
  const listed = undeclared.slice(0, MAX_PROBLEMS).map(undeclaredProblem);
  const more = undeclared.length - listed.length;
  const problems = [...listed, ...(more > 0 ? [`${more} more are not declared`] : await faultsOf(type, declared))];
  throw new MillraceError('INVALID_PAYLOAD', `${where}: ${noValid(type)} ${DECLARE}`, { problems });
}

const DECLARE =
  'Properties that the class does not declare are not published: give each a rule there (@Allow() takes anything), leave it out, ' +
  "or let the contract or the module say unknownProperties: 'strip' or 'keep'.";

async function faultsOf(type: PayloadClass, payload: object): Promise<readonly string[]> {
  return encodePayload(type, payload, '').then(() => [], (thrown: unknown) => (isMillraceError(thrown) ? thrown.problems : []));
}

function declaredOnly(type: PayloadClass, plain: unknown): unknown {
  if (plain === null || typeof plain !== 'object' || Array.isArray(plain)) return plain;
  try {
    return sift(type, plain, 'stored').declared;
  } catch {
    // The user's own `@Type` threw. It throws again, and is reported, when the instance is made.
    return plain;
  }
}

interface Found {
  readonly changes: readonly Change[];
  readonly problems: readonly string[];
}

/** The rules check the payload that would be delivered. When that differs from the given one, they name the consequence alone. */
function refusal(type: PayloadClass, { changes, problems }: Found, where: string): MillraceError {
  const lost = problems.length === 0 ? changes : changes.filter(isLost);
  if (lost.length === 0) return new MillraceError('INVALID_PAYLOAD', `${where}: ${noValid(type)}`, { problems });
  return changedError(where, lost, { others: problems.filter((problem) => !lost.some(isToldBy(problem))) });
}

function textOf(type: PayloadClass, payload: unknown, where: string): PayloadText {
  assertInJson(payload, where);
  if (!isObject(payload)) throw new MillraceError('INVALID_PAYLOAD', `${where}: ${noObject(type)}`);
  return withOwnCode(where, () => payloadText(type, payload, where));
}

/** No publisher could send such a value, because JSON does not have it. An invalid date is left to the rules, which refuse it. */
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

interface Made {
  readonly instance: object;
  /** Properties that the instance does not have yet. */
  readonly reserved: readonly ReservedProperty[];
}

interface Fault {
  readonly fault: string;
  readonly details?: MillraceErrorDetails;
}

function madeOf(type: PayloadClass, plain: unknown): Made | Fault {
  if (plain === null || typeof plain !== 'object' || Array.isArray(plain)) return { fault: noObject(type) };
  const look = lookAt(plain, MAX_PAYLOAD_DEPTH);
  if (look === 'too deep') return { fault: `the payload nests deeper than ${MAX_PAYLOAD_DEPTH} levels.` };
  const reserved: ReservedProperty[] = [];
  const made = make(type, look === 'reserved names' ? (setAside(plain, reserved) as object) : plain);
  if (!(made instanceof Error)) return { instance: made.instance, reserved };
  return { fault: `the payload cannot be made an instance of ${type.name}: ${made.message}`, details: { cause: made } };
}

/** The problems of a complete instance by its rules, at most 50. */
function faultsIn(made: Made): readonly string[] | Promise<readonly string[]> {
  const problems = problemsIn(made.instance);
  return Array.isArray(problems) ? withLost(made, problems) : problems.then((found) => withLost(made, found));
}

function withLost({ instance, reserved }: Made, problems: readonly string[]): readonly string[] {
  if (reserved.length === 0) return problems.length > MAX_PROBLEMS ? problems.slice(0, MAX_PROBLEMS) : problems;
  const lost = putBack(instance, reserved).map(({ path, name }) => `${[...path, name].join('.')} has no place in the class`);
  return [...problems, ...lost].slice(0, MAX_PROBLEMS);
}

/** The constructor and the transformations of the class are code of the user: a payload that they refuse is not valid. */
function make(type: PayloadClass, plain: object): { instance: object } | Error {
  try {
    return { instance: instantiate(type, plain) };
  } catch (thrown) {
    return asError(thrown);
  }
}
