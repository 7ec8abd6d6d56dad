import { MillraceError, UnreadablePayloadError } from '../errors.js';
import { changedError, kindOf } from './change.js';
import { isTooDeep } from './depth.js';
import { withOwnCode } from './own-code.js';
import { sortedJson } from './payload-digest.js';
import { type Foreign, MAX_PAYLOAD_BYTES, MAX_PAYLOAD_DEPTH, pathText, PayloadInspector, tooLarge } from './payload-inspector.js';

/** A payload of no class on its way out. */
export interface JsonWish {
  readonly given: { readonly payload: unknown; readonly where: string };
  /** Whether its names are sorted, at any depth. */
  readonly isSorted: boolean;
}

/**
 * The text of a payload of no class. Nobody makes a value again that JSON does not have, or that decides its own JSON, so it is
 * refused.
 *
 * @throws MillraceError UNSERIALIZABLE_PAYLOAD, PAYLOAD_TOO_LARGE
 */
export function jsonText({ given: { payload, where }, isSorted }: JsonWish): string {
  assertInJson(payload, where);
  const json = withOwnCode(where, () => written(payload, where));
  return isSorted ? sortedJson(JSON.parse(json)) : json;
}

/**
 * Parsed JSON as a payload of no class: itself.
 *
 * @throws UnreadablePayloadError (INVALID_PAYLOAD)
 */
export function jsonPayload(parsed: unknown, where: string): unknown {
  if (isTooDeep(parsed)) {
    throw new UnreadablePayloadError(`${where}: the payload nests deeper than ${MAX_PAYLOAD_DEPTH} levels.`);
  }
  return parsed;
}

const IN_JSON: readonly string[] = ['object', 'string', 'number', 'boolean'];

/** @throws MillraceError UNSERIALIZABLE_PAYLOAD for undefined, a bigint, a function, a symbol */
export function assertInJson(payload: unknown, where: string): void {
  if (IN_JSON.includes(typeof payload)) return;
  throw new MillraceError('UNSERIALIZABLE_PAYLOAD', `${where}: the payload is of type ${typeof payload}, which JSON does not have.`);
}

function written(payload: unknown, where: string): string {
  const { foreign } = new PayloadInspector(payload, where, { bytes: MAX_PAYLOAD_BYTES });
  if (foreign.length > 0) throw foreignError(foreign, where);
  const json = JSON.stringify(payload);
  const bytes = Buffer.byteLength(json);
  if (bytes > MAX_PAYLOAD_BYTES) throw tooLarge(where, String(bytes));
  return json;
}

function foreignError(foreign: readonly Foreign[], where: string): MillraceError {
  const unwritable = foreign.find(({ value }) => !writesItself(value));
  if (unwritable) {
    const what = `${pathText(unwritable.path)} is a ${kindOf(unwritable.value)}, which JSON does not have`;
    return new MillraceError('UNSERIALIZABLE_PAYLOAD', `${where}: ${what}. ${ADVICE}`);
  }
  const changes = foreign.map(({ path, value }) => ({ path, given: value, delivered: inJson(value) }));
  return changedError(where, changes, { advice: ADVICE });
}

const ADVICE = 'Publish something else in its place, or give the topic a class (payload) that makes it again.';

function writesItself(value: unknown): boolean {
  return typeof value === 'object' && typeof (value as { toJSON?: unknown }).toJSON === 'function';
}

function inJson(value: unknown): unknown {
  const json = JSON.stringify(value) as string | undefined;
  return json === undefined ? undefined : JSON.parse(json);
}
