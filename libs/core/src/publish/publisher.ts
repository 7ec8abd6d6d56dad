import { messageTypeOf } from '../contract/message-type.js';
import { encodePayload, type PayloadPlace } from '../contract/payload.js';
import { type PayloadClass, type TopicDefinition, topicOf } from '../contract/topic.js';
import { type UnknownProperties, unknownPropertiesOf } from '../contract/unknown-properties.js';
import type { DueTime, OutgoingMessage, PublishPort, PublishResult, PublishTerms } from '../delivery/ports.js';
import { type Duration, durationMs } from '../duration.js';
import { asError, isMillraceError, MillraceError } from '../errors.js';
import { newMessageId } from '../message-id.js';
import { hasHalfCharacter } from '../names.js';
import { withTraceHeaders } from '../trace/trace-context.js';
import { assertHeaders, MAX_HEADERS } from './headers.js';
import { type PublishOptions, publishOptions } from './publish-options.js';

/** One message of {@link Publisher.publishMany}. */
export interface PublishItem<T extends object> extends PublishOptions {
  readonly payload: T;
}

/** Publishes events: the class that a service injects. */
export class Publisher {
  readonly #port: PublishPort;
  readonly #unknownProperties: UnknownProperties | undefined;

  /** @param unknownProperties for topics that say nothing themselves. Default `refuse` */
  constructor(port: PublishPort, unknownProperties?: UnknownProperties) {
    this.#port = port;
    this.#unknownProperties = unknownProperties;
  }

  /**
   * Publishes one message and resolves when Redis has it, a delayed one too. A second publish with the same idempotency
   * key stores nothing and returns the first one's id, with `duplicate: true`.
   *
   * @throws MillraceError NOT_A_TOPIC, INVALID_OPTIONS, INVALID_PAYLOAD, UNSERIALIZABLE_PAYLOAD, PAYLOAD_TOO_LARGE,
   *   INVALID_HEADERS: nothing was stored
   * @throws IdempotencyMismatchError the key was used for another payload: nothing was stored
   * @throws IndefinitePublishError Redis did not answer, or not enough for the durability: it may be stored
   */
  async publish<T extends object>(topic: PayloadClass<T>, payload: T, options: PublishOptions = {}): Promise<PublishResult> {
    const definition = topicOf(topic);
    const { where, unknownProperties } = this.#placeOf(definition, `publish(${topic.name})`);
    const draft = await draftOf(topic, payload, { options, where, unknownProperties });
    return this.#publish(definition, draft);
  }

  /**
   * Publishes many messages together, in their order within each partition. All of them are validated first: when one is
   * not valid, nothing is published.
   *
   * @returns one result an item, in their order
   * @throws PublishManyError some of them could not be published; its `results` tell which
   * @throws MillraceError those of {@link publish} that say that nothing was stored, with the number of the item
   */
  async publishMany<T extends object>(topic: PayloadClass<T>, items: readonly PublishItem<T>[]): Promise<PublishResult[]> {
    const definition = topicOf(topic);
    const where = `publishMany(${topic.name})`;
    if (!Array.isArray(items)) throw new MillraceError('INVALID_INPUT', `${where}: the items must be an array.`);
    // Not `map`, which passes over the holes of a list.
    const drafts = await Promise.all(
      Array.from(items, (item: unknown, index) => draftOfItem(topic, item, this.#placeOf(definition, `${where}, item ${index}`))),
    );
    const publishing = drafts.map(async (draft) => this.#publish(definition, draft));
    const settled = await Promise.allSettled(publishing);
    if (settled.every((result) => result.status === 'fulfilled')) return settled.map((result) => result.value);
    throw new PublishManyError(definition.name, settled);
  }

  #placeOf(topic: TopicDefinition, where: string): Place {
    return { where, unknownProperties: unknownPropertiesOf(topic, this.#unknownProperties) };
  }

  #publish(topic: TopicDefinition, { message, terms }: Draft): Promise<PublishResult> {
    return this.#port.publish(topic, { id: newMessageId(), ...message }, terms);
  }
}

/** Some messages of one {@link Publisher.publishMany} were not published, or may not have been; the others were. */
export class PublishManyError extends MillraceError {
  /** One an item, in their order. */
  readonly results: readonly PromiseSettledResult<PublishResult>[];

  constructor(topic: string, results: readonly PromiseSettledResult<PublishResult>[]) {
    const failed = results.flatMap((result, index) => (result.status === 'rejected' ? [{ index, error: asError(result.reason) }] : []));
    super('PUBLISH_REFUSED', `${failed.length} of ${results.length} messages were not published to '${topic}'; the others were.`, {
      problems: failed.slice(0, 10).map(({ index, error }) => `item ${index}: ${error.message}`),
      cause: failed[0]?.error,
      retryable: failed.every(({ error }) => isMillraceError(error) && error.retryable),
    });
    this.name = 'PublishManyError';
    this.results = results;
  }
}

const MAX_KEY_BYTES = 1024;

/** A message without its id: ids are drawn when all is valid, in the order of the messages. */
interface Draft {
  readonly message: Omit<OutgoingMessage, 'id'>;
  readonly terms: PublishTerms;
}

type Place = Required<PayloadPlace>;

async function draftOfItem(contract: PayloadClass, item: unknown, place: Place): Promise<Draft> {
  if (item === null || typeof item !== 'object') throw new MillraceError('INVALID_INPUT', `${place.where} must be an object with a payload.`);
  const { payload, ...options } = item as PublishItem<object>;
  return draftOf(contract, payload, { options, where: place.where, unknownProperties: place.unknownProperties });
}

async function draftOf(contract: PayloadClass, payload: object, given: Place & { options: unknown }): Promise<Draft> {
  const { where } = given;
  const topic = topicOf(contract);
  const { name: type, version: schema, payload: payloadClass } = messageTypeOf(contract);
  const { idempotencyKey = null, key, ...options } = publishOptions(given.options, where);
  assertHeaders(options.headers ?? {}, where);
  // What is checked is what is sent, whatever the caller does to its own object meanwhile.
  const headers = withTraceHeaders(options.headers ?? {}, MAX_HEADERS);
  const terms = termsOf(options);
  const traits = { expiresAt: expiryOf(topic, options.ttl, terms.due), type, schema };
  const payloadJson = await encodePayload(payloadClass, payload, given);
  const decided = checkedKey(key ?? keyOf(topic, payload, where), where);
  return { message: { key: decided, idempotencyKey, headers, ...traits, payloadJson }, terms };
}

function termsOf({ deadline, delay, deliverAt, durability }: PublishOptions): PublishTerms {
  return { deadlineMs: deadline === undefined ? undefined : durationMs(deadline), due: dueOf(delay, deliverAt), durability };
}

function dueOf(delay: Duration | undefined, deliverAt: Date | undefined): DueTime | undefined {
  if (deliverAt !== undefined) return deliverAt.getTime() > Date.now() ? { atMs: deliverAt.getTime() } : undefined;
  const inMs = delay === undefined ? 0 : durationMs(delay);
  return inMs > 0 ? { inMs } : undefined;
}

/** A message lives from when its groups can have it. */
function expiryOf(topic: TopicDefinition, ttl: Duration | undefined, due: DueTime = { inMs: 0 }): number | null {
  const ttlMs = ttl === undefined ? topic.ttlMs : durationMs(ttl);
  if (ttlMs === null) return null;
  return ttlMs + ('inMs' in due ? Date.now() + due.inMs : due.atMs);
}

function keyOf(topic: TopicDefinition, payload: object, where: string): unknown {
  try {
    return topic.key?.(payload as never);
  } catch (thrown) {
    const cause = asError(thrown);
    throw new MillraceError('INVALID_OPTIONS', `${where}: the key function of @Topic('${topic.name}') threw: ${cause.message}`, { cause });
  }
}

function checkedKey(key: unknown, where: string): string | null {
  if (key === undefined || key === null || key === '') return null;
  if (typeof key === 'string' && Buffer.byteLength(key) <= MAX_KEY_BYTES && !hasHalfCharacter(key)) return key;
  const rule = `a string of at most ${MAX_KEY_BYTES} bytes, without half characters (a surrogate that stands alone)`;
  throw new MillraceError('INVALID_OPTIONS', `${where}: the key must be ${rule}.`);
}
