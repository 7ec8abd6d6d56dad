import { isMillraceError, type Message, MillraceError, type OutgoingMessage, type Redrive } from '@millrace/core';

/** The version of the envelope that this code writes, and the newest that it reads. */
export const ENVELOPE_VERSION = 1;

/** Between the envelopes of one entry: JSON text never holds a line break, so it cannot stand inside one. */
export const ENVELOPE_SEPARATOR = ',\n';

/** Optional facts in an envelope beside its six parts; unknown names are ignored. */
interface Traits {
  /** When the message expires, in Unix milliseconds. */
  readonly x?: number;
  /** Its type. */
  readonly t?: string;
  /** The version of its schema, when it is not 1. */
  readonly s?: number;
  /**
   * How often it was redriven; when to the topic out of a replay, also the group and the replay's number, and 1 when it was
   * forced.
   */
  readonly d?: readonly [times: number, group?: string, replay?: number, forced?: number];
}

/**
 * A message as it is stored: `[version, id, key, idempotency key, headers, payload]`, with null for what is absent. A
 * seventh part is there when the message has {@link Traits}.
 */
export function encodeEnvelope(message: OutgoingMessage): string {
  const { id, key, payloadJson } = message;
  return `${BEGIN}${id}",${key === null ? 'null' : JSON.stringify(key)}${namesText(message)}${payloadJson}${traitsText(message)}]`;
}

const BEGIN = `[${ENVELOPE_VERSION},"`;

/** The idempotency key and the headers: most messages have neither. */
function namesText({ idempotencyKey, headers }: OutgoingMessage): string {
  const isBare = Object.keys(headers).length === 0;
  if (idempotencyKey === null && isBare) return ',null,null,';
  return `,${JSON.stringify(idempotencyKey)},${isBare ? 'null' : JSON.stringify(headers)},`;
}

function traitsText({ expiresAt, type, schema }: OutgoingMessage): string {
  if (expiresAt === null && type === null && schema === 1) return '';
  const traits: Traits = { x: expiresAt ?? undefined, t: type ?? undefined, s: schema === 1 ? undefined : schema };
  return `,${JSON.stringify(traits)}`;
}

/** Shared by all messages without headers. */
const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});

/** @throws MillraceError MALFORMED_ENVELOPE, UNSUPPORTED_VERSION */
export function decodeEnvelope(text: string): Message {
  const parts = parse(text);
  assertVersion(parts);
  const [, id, key, idempotencyKey, headers, payload, traits] = parts;
  if (!isText(id) || !isTextOrNull(key) || !isTextOrNull(idempotencyKey)) throw malformed('an id or a key of it has the wrong type');
  if (headers !== null && !isHeaders(headers)) throw malformed('its headers have the wrong type');
  const message = { id, key, idempotencyKey, headers: headers ?? NO_HEADERS, expiresAt: null, type: null, schema: 1, payload };
  return traits === undefined ? message : withTraits(message, traits);
}

function withTraits(message: Message, traits: unknown): Message {
  if (!areTraits(traits)) throw malformed('its expiry, type, schema or redrive has the wrong form');
  const { x: expiresAt = null, t: type = null, s: schema = 1, d: redriven } = traits;
  const own = { ...message, expiresAt, type, schema };
  return redriven ? { ...own, redrive: redriveOf(redriven) } : own;
}

/** The message of an envelope. Where the text is no envelope, it is the payload of a message with an empty id. */
export function messageOfEnvelope(text: string): Message {
  try {
    return decodeEnvelope(text);
  } catch (error) {
    if (isMillraceError(error)) return unreadMessage(text);
    throw error;
  }
}

/** Stands for text that is no message, which is its payload. */
export function unreadMessage(text: string): Message {
  const nothing = { id: '', key: null, idempotencyKey: null, headers: {}, expiresAt: null, type: null, schema: 1 };
  return { ...nothing, payload: found(text) };
}

function found(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function redriveOf([times, group, replay, forced]: NonNullable<Traits['d']>): Redrive {
  if (group === undefined || replay === undefined) return { times };
  return forced === 1 ? { times, group, replay, forced: true } : { times, group, replay };
}

type ReplayOf = Required<Pick<Redrive, 'group' | 'replay'>> & Pick<Redrive, 'forced'>;

/**
 * The envelope of a message that is redriven once more. The rest stays as it is to the letter; so does a text that is no
 * envelope of this version.
 *
 * @param to the current replay of the group that gave the message up, when the redrive is to the whole topic
 */
export function redrivenEnvelope(text: string, to: ReplayOf | null): string {
  if (!isEnvelope(text)) return text;
  const times = messageOfEnvelope(text).redrive?.times ?? 0;
  const [, , , , , , traits] = JSON.parse(text) as unknown[];
  const d = to ? [times + 1, to.group, to.replay, ...(to.forced ? [1] : [])] : [times + 1];
  return `${withoutTraits(text, traits)},${JSON.stringify({ ...(traits as Traits | undefined), d })}]`;
}

/** Whether this code can read the text as a message. */
export function isEnvelope(text: string): boolean {
  return messageOfEnvelope(text).id !== '';
}

/** Whether the text may be stored in a log as a message, for this code or a newer one. */
export function isStorable(text: string): boolean {
  try {
    return !text.includes(ENVELOPE_SEPARATOR) && decodeEnvelope(text).id !== '';
  } catch (error) {
    if (isMillraceError(error)) return error.code === 'UNSUPPORTED_VERSION';
    throw error;
  }
}

/** The envelope up to the end of the payload, which is copied: its numbers may have more digits than JavaScript keeps. */
function withoutTraits(text: string, traits: unknown): string {
  const end = traits === undefined ? ']' : `,${JSON.stringify(traits)}]`;
  if (text.endsWith(end)) return text.slice(0, -end.length);
  return JSON.stringify((JSON.parse(text) as unknown[]).slice(0, 6)).slice(0, -1);
}

function assertVersion(parts: readonly unknown[]): void {
  const [version] = parts;
  if (typeof version === 'number' && version > ENVELOPE_VERSION) {
    throw new MillraceError(
      'UNSUPPORTED_VERSION',
      `The message was written in version ${version} of the storage format; this process reads up to ${ENVELOPE_VERSION}. Upgrade it, then redrive.`,
    );
  }
  if (version !== ENVELOPE_VERSION || parts.length < 6 || parts.length > 7) throw malformed('it is no envelope');
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

function isText(value: unknown): value is string {
  return typeof value === 'string';
}

function isTextOrNull(value: unknown): value is string | null {
  return value === null || isText(value);
}

function isHeaders(value: unknown): value is Record<string, string> {
  return typeof value === 'object' && value !== null && !Array.isArray(value) && Object.values(value).every(isText);
}

function areTraits(value: unknown): value is Traits {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return false;
  const { x, t, s, d } = value as Record<string, unknown>;
  const isNumber = (number: unknown, least: number): boolean => Number.isSafeInteger(number) && Number(number) >= least;
  const isRedrive = (parts: unknown): boolean => Array.isArray(parts) && isNumber(parts[0], 1);
  const areOld = (x === undefined || isNumber(x, 0)) && (t === undefined || isText(t)) && (s === undefined || isNumber(s, 1));
  return areOld && (d === undefined || isRedrive(d));
}
