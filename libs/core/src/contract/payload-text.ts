import { instanceToPlain } from 'class-transformer';
import { MillraceError } from '../errors.js';
import { kindOf } from './change.js';
import { type Class, shapeOf } from './class-shape.js';
import { type Path, MAX_PAYLOAD_BYTES, pathText, PayloadInspector, tooLarge } from './payload-inspector.js';

/** The limit for the payload before the class's own decorators leave parts of it out. */
const MAX_BYTES_BEFORE = 16 * MAX_PAYLOAD_BYTES;

/** A payload on its way out. */
export interface PayloadText {
  readonly json: string;
  /** Whether there is anything in it that has to be made again as the same kind of value. */
  readonly hasForeign: boolean;
  /** Whether class-transformer was asked, which may leave properties out. */
  readonly isTransformed: boolean;
}

/** @throws MillraceError UNSERIALIZABLE_PAYLOAD, PAYLOAD_TOO_LARGE; and whatever the payload's own code throws */
export function payloadText(type: Class, payload: object, where: string): PayloadText {
  const shape = shapeOf(payload instanceof type ? classOf(payload) : type);
  const inspector = new PayloadInspector(payload, where, { bytes: shape.transforms ? MAX_BYTES_BEFORE : MAX_PAYLOAD_BYTES });
  const hasSubtypes = shape.discriminates && inspector.classes.size > 0;
  const isTransformed = shape.transforms || hasSubtypes || [...inspector.classes].some(doTransform);
  const json = isTransformed ? transformedJson(type, payload, { where, inspector }) : jsonOf(payload, inspector, where);
  const bytes = Buffer.byteLength(json);
  if (bytes > MAX_PAYLOAD_BYTES) throw tooLarge(where, String(bytes));
  return { json, hasForeign: inspector.foreign.length > 0, isTransformed };
}

/** Not `payload.constructor`: that may be a property of the payload. */
function classOf(instance: object): Class {
  return (Object.getPrototypeOf(instance) as { constructor: Class }).constructor;
}

function doTransform(type: Class): boolean {
  return shapeOf(type).transforms;
}

function transformedJson(type: Class, payload: object, inspected: { where: string; inspector: PayloadInspector }): string {
  const { where, inspector } = inspected;
  if (inspector.hasReservedNames) {
    throw new MillraceError(
      'UNSERIALIZABLE_PAYLOAD',
      `${where}: the payload has a property named like one that every object has, such as 'constructor'. Classes with @Expose, ` +
        '@Exclude, @Transform or subtypes cannot carry it: give it another name.',
    );
  }
  const plain = instanceToPlain(asInstance(type, payload));
  return jsonOf(plain, new PayloadInspector(plain, where, { bytes: MAX_PAYLOAD_BYTES }), where);
}

/** A plain object where the class is expected has its properties, so the class's decorators are meant for it. */
function asInstance(type: Class, payload: object): object {
  if (payload instanceof type) return payload;
  return Object.create(type.prototype as object, Object.getOwnPropertyDescriptors(payload)) as object;
}

function jsonOf(plain: object, inspector: PayloadInspector, where: string): string {
  for (const { path, value } of inspector.foreign) if (!isWritable(value)) throw unwritable(where, path, value);
  const json: unknown = JSON.stringify(plain);
  if (typeof json === 'string') return json;
  throw new MillraceError('UNSERIALIZABLE_PAYLOAD', `${where}: the toJSON() of the payload returned nothing that JSON has.`);
}

function isWritable(value: unknown): boolean {
  return typeof value === 'object' && typeof (value as { toJSON?: unknown }).toJSON === 'function';
}

function unwritable(where: string, path: Path, value: unknown): MillraceError {
  return new MillraceError(
    'UNSERIALIZABLE_PAYLOAD',
    `${where}: ${pathText(path)} is a ${kindOf(value)}, which JSON does not have. Publish something else in its place, or put @Transform ` +
      'on the property, once for each direction.',
  );
}
