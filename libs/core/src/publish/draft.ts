import { messageTypeOf } from '../contract/message-type.js';
import { encoded } from '../contract/payload.js';
import { type PayloadClass, type TopicDefinition, topicOfRef, type TopicRef } from '../contract/topic.js';
import { type UnknownProperties, unknownPropertiesOf } from '../contract/unknown-properties.js';
import type { DueTime, OutgoingMessage, SendOptions } from '../delivery/ports.js';
import { type Duration, durationMs } from '../duration.js';
import { asError, MillraceError } from '../errors.js';
import { hasHalfCharacter } from '../names.js';
import { currentTrace, withTraceHeaders } from '../trace/trace-context.js';
import { assertHeaders, MAX_HEADERS } from './headers.js';
import { type PublishOptions, publishOptions } from './publish-options.js';

const MAX_KEY_BYTES = 1024;
const NO_OPTIONS: PublishOptions = Object.freeze({});
const AT_ONCE: DueTime = Object.freeze({ inMs: 0 });
const NO_HEADERS: Readonly<Record<string, string>> = Object.freeze({});

/** A class or a definition as one publisher publishes it. */
export interface Contract {
  readonly topic: TopicDefinition;
  readonly type: string | null;
  readonly schema: number;
  readonly payload: PayloadClass;
  readonly unknownProperties: UnknownProperties;
}

/** A message on its way to the port: its id is drawn when all is valid, in the order of the messages. */
export interface Draft {
  readonly message: { -readonly [K in keyof OutgoingMessage]: OutgoingMessage[K] };
  readonly sendOptions: SendOptions | undefined;
}

/** The arguments of a caller for one message, and the place of the call, for errors. */
export interface Given {
  readonly payload: unknown;
  /** Undefined for none. */
  readonly options: unknown;
  readonly where: string;
}

/**
 * @param ofProcess for topics that say nothing themselves
 * @throws MillraceError NOT_A_TOPIC
 */
export function contractOf(published: TopicRef, ofProcess: UnknownProperties | undefined): Contract {
  const topic = topicOfRef(published);
  const { name: type, version: schema, payload } = messageTypeOf(published);
  return { topic, type, schema, payload, unknownProperties: unknownPropertiesOf(topic, ofProcess) };
}

/** It waits only for rules of the payload that take their time, and may throw at once. */
export function draftOf(contract: Contract, given: Given): Draft | Promise<Draft> {
  const options = given.options === undefined ? NO_OPTIONS : publishOptions(given.options, given.where);
  const { idempotencyKey = null, key } = options;
  const headers = headersOf(options, given);
  const sendOptions = sendOptionsOf(options);
  const { topic, type, schema, payload, unknownProperties } = contract;
  const expiresAt = expiryOf(ttlOf(topic, options), sendOptions?.due);
  const draft: Draft = { message: { id: '', key: null, idempotencyKey, headers, expiresAt, type, schema, payloadJson: '' }, sendOptions };
  const encoding = encoded(payload, { given, unknownProperties, isSorted: idempotencyKey !== null });
  if (typeof encoding === 'string') return completed(draft, encoding, checkedKey(key ?? keyOf(topic, given), given));
  return encoding.then((done) => completed(draft, done, checkedKey(key ?? keyOf(topic, given), given)));
}

function completed(draft: Draft, payloadJson: string, key: string | null): Draft {
  draft.message.key = key;
  draft.message.payloadJson = payloadJson;
  return draft;
}

/** Copies the options, so that the checked ones are sent even when the caller changes its own object meanwhile. */
function headersOf({ headers }: PublishOptions, given: Given): Readonly<Record<string, string>> {
  if (headers === undefined) return currentTrace() === null ? NO_HEADERS : withTraceHeaders(NO_HEADERS, MAX_HEADERS);
  assertHeaders(headers, given.where);
  return withTraceHeaders(headers, MAX_HEADERS);
}

/** Undefined when neither the options nor the topic say anything. */
function sendOptionsOf({ deadline, delay, deliverAt, durability }: PublishOptions): SendOptions | undefined {
  if (deadline === undefined && delay === undefined && deliverAt === undefined && durability === undefined) return undefined;
  return { deadlineMs: deadline === undefined ? undefined : durationMs(deadline), due: dueOf(delay, deliverAt), durability };
}

function dueOf(delay: Duration | undefined, deliverAt: Date | undefined): DueTime | undefined {
  if (deliverAt !== undefined) return deliverAt.getTime() > Date.now() ? { atMs: deliverAt.getTime() } : undefined;
  const inMs = delay === undefined ? 0 : durationMs(delay);
  return inMs > 0 ? { inMs } : undefined;
}

/** How long a message is of use, in milliseconds; null for ever. */
export function ttlOf(topic: TopicDefinition, { ttl }: PublishOptions): number | null {
  return ttl === undefined ? topic.ttlMs : durationMs(ttl);
}

/** The life of a message begins when its groups can have it. */
export function expiryOf(ttlMs: number | null, due: DueTime = AT_ONCE): number | null {
  if (ttlMs === null) return null;
  return ttlMs + ('inMs' in due ? Date.now() + due.inMs : due.atMs);
}

function keyOf(topic: TopicDefinition, given: Given): unknown {
  try {
    return topic.key?.(given.payload as never);
  } catch (thrown) {
    const cause = asError(thrown);
    throw new MillraceError('INVALID_OPTIONS', `${given.where}: the key function of topic '${topic.name}' threw: ${cause.message}`, { cause });
  }
}

function checkedKey(key: unknown, given: Given): string | null {
  if (key === undefined || key === null || key === '') return null;
  if (typeof key === 'string' && Buffer.byteLength(key) <= MAX_KEY_BYTES && !hasHalfCharacter(key)) return key;
  const rule = `a string of at most ${MAX_KEY_BYTES} bytes, without half characters (a surrogate that stands alone)`;
  throw new MillraceError('INVALID_OPTIONS', `${given.where}: the key must be ${rule}.`);
}
