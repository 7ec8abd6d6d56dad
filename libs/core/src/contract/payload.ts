import { instanceToPlain, plainToInstance } from 'class-transformer';
import { validate, type ValidationError } from 'class-validator';
import { MillraceError } from '../errors.js';
import { problemsOf } from '../options/problems.js';
import type { PayloadClass } from './topic.js';

/** The largest payload, in bytes of UTF-8 JSON. */
export const MAX_PAYLOAD_BYTES = 1024 * 1024;
/** How deep objects and arrays may nest in a payload. */
export const MAX_PAYLOAD_DEPTH = 64;

/**
 * Checks a payload on its way out and makes it JSON text. Plain objects are accepted where the class is expected.
 *
 * @param where what the caller called, for the error: `publish(OrderPlaced)`
 * @throws MillraceError INVALID_PAYLOAD, UNSERIALIZABLE_PAYLOAD, PAYLOAD_TOO_LARGE
 */
export async function encodePayload<T extends object>(type: PayloadClass<T>, payload: T, where: string): Promise<string> {
  const plain = toPlain(payload, where);
  await decodePayload(type, plain, where);
  const text = stringify(plain, where);
  const bytes = Buffer.byteLength(text);
  if (bytes <= MAX_PAYLOAD_BYTES) return text;
  throw new MillraceError(
    'PAYLOAD_TOO_LARGE',
    `${where}: the payload has ${bytes} bytes as JSON, more than the ${MAX_PAYLOAD_BYTES} that are allowed. Nothing was stored. ` +
      'Store the large part elsewhere and send a reference to it.',
  );
}

/**
 * Makes parsed JSON an instance of the payload's class and validates it. Properties that the class does not declare are
 * kept: a newer publisher may send more than this consumer knows.
 *
 * @throws MillraceError INVALID_PAYLOAD with every problem
 */
export async function decodePayload<T extends object>(type: PayloadClass<T>, plain: unknown, where: string): Promise<T> {
  if (plain === null || typeof plain !== 'object' || Array.isArray(plain)) {
    throw new MillraceError('INVALID_PAYLOAD', `${where}: the payload must be an object of ${type.name}.`);
  }
  const instance = plainToInstance(type, plain);
  const errors: ValidationError[] = await validate(instance, { forbidUnknownValues: false });
  if (errors.length === 0) return instance;
  throw new MillraceError('INVALID_PAYLOAD', `${where}: the payload is no valid ${type.name}.`, { problems: problemsOf(errors) });
}

function toPlain(payload: unknown, where: string): unknown {
  assertPlainJson(payload, where, 0);
  return instanceToPlain(payload);
}

function stringify(plain: unknown, where: string): string {
  try {
    return JSON.stringify(plain);
  } catch (cause) {
    throw new MillraceError('UNSERIALIZABLE_PAYLOAD', `${where}: the payload cannot be written as JSON.`, { cause });
  }
}

/** Walks before anything recursive of ours or a library's does: a cycle or 20,000 levels would end in a RangeError. */
function assertPlainJson(value: unknown, where: string, depth: number): void {
  if (depth > MAX_PAYLOAD_DEPTH) {
    throw new MillraceError(
      'UNSERIALIZABLE_PAYLOAD',
      `${where}: the payload nests deeper than ${MAX_PAYLOAD_DEPTH} levels, or refers to itself.`,
    );
  }
  if (typeof value === 'bigint' || typeof value === 'function' || typeof value === 'symbol') {
    throw new MillraceError('UNSERIALIZABLE_PAYLOAD', `${where}: the payload holds a ${typeof value}, which JSON does not have.`);
  }
  if (typeof value === 'number' && !Number.isFinite(value)) {
    throw new MillraceError('UNSERIALIZABLE_PAYLOAD', `${where}: the payload holds ${value}, which JSON does not have.`);
  }
  if (value === null || typeof value !== 'object' || value instanceof Date) return;
  for (const item of Object.values(value)) assertPlainJson(item, where, depth + 1);
}
