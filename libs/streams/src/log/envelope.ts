import { type Message, MillraceError, type OutgoingMessage } from '@millrace/core';

/** The version of the envelope that this code writes, and the newest that it reads. */
export const ENVELOPE_VERSION = 1;

/** Between the envelopes of one entry: JSON text never holds a line break, so it cannot stand inside one. */
export const ENVELOPE_SEPARATOR = ',\n';

/** A message as it is stored: `[version, id, key, idempotency key, headers, payload]`, with null for what is absent. */
export function encodeEnvelope(message: OutgoingMessage): string {
  const headers = Object.keys(message.headers).length === 0 ? 'null' : JSON.stringify(message.headers);
  return `[${ENVELOPE_VERSION},"${message.id}",${JSON.stringify(message.key)},${JSON.stringify(message.idempotencyKey)},${headers},${message.payloadJson}]`;
}

/** @throws MillraceError MALFORMED_ENVELOPE, UNSUPPORTED_VERSION */
export function decodeEnvelope(text: string): Message {
  const parts = parse(text);
  const [version, id, key, idempotencyKey, headers, payload] = parts;
  if (typeof version === 'number' && version > ENVELOPE_VERSION) {
    throw new MillraceError(
      'UNSUPPORTED_VERSION',
      `The message was written in version ${version} of the storage format; this process reads up to ${ENVELOPE_VERSION}. Upgrade it, then redrive.`,
    );
  }
  if (parts.length !== 6 || version !== ENVELOPE_VERSION || typeof id !== 'string') throw malformed('it is no envelope');
  if (!isTextOrNull(key) || !isTextOrNull(idempotencyKey) || !isHeaders(headers)) throw malformed('a field of it has the wrong type');
  return { id, key, idempotencyKey, headers: headers ?? {}, payload };
}

function parse(text: string): unknown[] {
  try {
    const parsed: unknown = JSON.parse(text);
    if (Array.isArray(parsed)) return parsed;
  } catch {
    throw malformed('it is no JSON');
  }
  throw malformed('it is no array');
}

/** An entry of the stream that Millrace did not write, or not like this. */
export function malformed(why: string): MillraceError {
  return new MillraceError('MALFORMED_ENVELOPE', `An entry of the stream cannot be read as a message: ${why}.`);
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || typeof value === 'string';
}

function isHeaders(value: unknown): value is Record<string, string> | null {
  return value === null || (typeof value === 'object' && !Array.isArray(value) && Object.values(value).every((item) => typeof item === 'string'));
}
