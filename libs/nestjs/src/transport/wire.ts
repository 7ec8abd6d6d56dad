import { asError, MillraceError } from '@millrace/core';
import type { PacketMetadata } from '@nestjs/microservices';

/** Headers of an event that the transport itself writes; handlers do not see them. */
const OWN = { binary: 'millrace-nest-binary', metadata: 'millrace-nest-metadata' } as const;

const BASE64 = 'base64';

/** One value on its way: JSON has no bytes, which travel as text. */
interface WrittenValue {
  readonly value?: unknown;
  readonly binary?: string;
}

/** A request as it is sent. */
export interface RequestPacket {
  readonly pattern: string;
  readonly data: unknown;
  readonly metadata: PacketMetadata | undefined;
}

/** The words of Nest for an error that callers are not to know. */
export const INTERNAL_ERROR = Object.freeze({ status: 'error', message: 'Internal server error' });

/** One value of an answer, or the error that ends it. */
export type AnswerPacket = { readonly response: unknown } | { readonly err: unknown };

/** An event as it is stored. */
export interface StoredEvent {
  readonly payload: unknown;
  readonly headers: Readonly<Record<string, string>>;
}

/** An event as handlers get it. */
export interface ReadEvent {
  readonly data: unknown;
  readonly headers: Readonly<Record<string, string>>;
  readonly metadata: PacketMetadata | undefined;
}

/** @throws MillraceError UNSERIALIZABLE_PAYLOAD */
export function requestText({ pattern, data, metadata }: RequestPacket): string {
  if (data instanceof Uint8Array) return JSON.stringify({ pattern, metadata, binary: bytesText(data) });
  return sentJson({ pattern, metadata, value: data });
}

/** @throws SyntaxError */
export function requestIn(text: string): RequestPacket {
  const packet = JSON.parse(text) as Omit<RequestPacket, 'data'> & WrittenValue;
  return { pattern: packet.pattern, metadata: packet.metadata, data: readValue(packet) };
}

export function answerText(packet: AnswerPacket): string {
  return JSON.stringify('err' in packet ? { err: plainError(packet.err) } : writtenValue(packet.response));
}

/** @throws SyntaxError */
export function answerIn(text: string): AnswerPacket {
  const packet = JSON.parse(text) as { readonly err?: unknown } & WrittenValue;
  return 'err' in packet ? { err: packet.err } : { response: readValue(packet) };
}

/**
 * Any value as the event of a plain pattern: JSON as `JSON.stringify` makes it, which users of Nest rely on.
 *
 * @throws MillraceError UNSERIALIZABLE_PAYLOAD
 */
export function plainEvent(data: unknown): StoredEvent {
  if (data instanceof Uint8Array) return { payload: bytesText(data), headers: { [OWN.binary]: BASE64 } };
  return { payload: flatCopy(data) ?? JSON.parse(sentJson(data ?? null)), headers: {} };
}

/** A copy of an object that has nothing but texts, finite numbers and the like, which JSON leaves as they are; else null. */
function flatCopy(data: unknown): object | null {
  if (typeof data !== 'object' || data === null || Object.getPrototypeOf(data) !== Object.prototype) return null;
  const copy: Record<string, unknown> = {};
  for (const name of Object.keys(data)) {
    const value = (data as Record<string, unknown>)[name];
    if (!isScalar(value) || name === '__proto__') return null;
    copy[name] = value;
  }
  return copy;
}

function isScalar(value: unknown): boolean {
  return typeof value === 'string' || typeof value === 'boolean' || value === null || (typeof value === 'number' && Number.isFinite(value));
}

export function metadataHeaders(metadata: PacketMetadata | undefined): Record<string, string> {
  return metadata === undefined ? {} : { [OWN.metadata]: encodeURI(JSON.stringify(metadata)) };
}

export function eventIn({ payload, headers: all }: StoredEvent): ReadEvent {
  const { [OWN.binary]: encoding, [OWN.metadata]: metadata, ...headers } = all;
  return {
    data: encoding === BASE64 && typeof payload === 'string' ? Buffer.from(payload, BASE64) : payload,
    headers,
    metadata: metadata === undefined ? undefined : (JSON.parse(decodeURI(metadata)) as PacketMetadata),
  };
}

function sentJson(value: unknown): string {
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (error) {
    throw unwritable(asError(error).message, { cause: error });
  }
  if (text === undefined) throw unwritable(`JSON has no ${typeof value}`);
  return text;
}

function unwritable(reason: string, details: { readonly cause?: unknown } = {}): MillraceError {
  const what = 'The data cannot be written as JSON, so nothing was sent. Send what JSON has, and a BigInt as text.';
  return new MillraceError('UNSERIALIZABLE_PAYLOAD', `${what} The reason: ${reason}`, details);
}

function writtenValue(value: unknown): WrittenValue {
  return value instanceof Uint8Array ? { binary: bytesText(value) } : { value };
}

function readValue({ value, binary }: WrittenValue): unknown {
  return binary === undefined ? value : Buffer.from(binary, BASE64);
}

function bytesText(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString(BASE64);
}

/** JSON would leave an Error without its message, and undefined without anything. */
function plainError(error: unknown): unknown {
  if (error instanceof Error) return Object.assign({}, error, { status: 'error', message: error.message });
  return error ?? null;
}
