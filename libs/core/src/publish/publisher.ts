import { encodePayload } from '../contract/payload.js';
import { type PayloadClass, type TopicDefinition, topicOf } from '../contract/topic.js';
import type { OutgoingMessage, PublishPort, PublishResult } from '../delivery/ports.js';
import { asError, isMillraceError, MillraceError } from '../errors.js';
import { newMessageId } from '../message-id.js';
import { assertHeaders } from './headers.js';
import { type PublishOptions, publishOptions } from './publish-options.js';

/** One message of {@link Publisher.publishMany}. */
export interface PublishItem<T extends object> extends PublishOptions {
  readonly payload: T;
}

/** Publishes events: the class that a service injects. */
export class Publisher {
  readonly #port: PublishPort;

  constructor(port: PublishPort) {
    this.#port = port;
  }

  /**
   * Publishes one message and resolves when Redis has it. A second publish with the same idempotency key stores nothing
   * and returns the first one's id, with `duplicate: true`.
   *
   * @throws MillraceError NOT_A_TOPIC, INVALID_OPTIONS, INVALID_PAYLOAD, UNSERIALIZABLE_PAYLOAD, PAYLOAD_TOO_LARGE,
   *   INVALID_HEADERS: nothing was stored
   * @throws IdempotencyMismatchError the key was used for another payload: nothing was stored
   * @throws IndefinitePublishError Redis did not answer: it may be stored
   */
  async publish<T extends object>(topic: PayloadClass<T>, payload: T, options: PublishOptions = {}): Promise<PublishResult> {
    const definition = topicOf(topic);
    const draft = await draftOf(definition, payload, { options, where: `publish(${topic.name})` });
    return this.#port.publish(definition, { id: newMessageId(), ...draft });
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
    const drafts = await Promise.all(items.map((item: unknown, index) => draftOfItem(definition, item, `${where}, item ${index}`)));
    const publishing = drafts.map(async (draft) => this.#port.publish(definition, { id: newMessageId(), ...draft }));
    const settled = await Promise.allSettled(publishing);
    if (settled.every((result) => result.status === 'fulfilled')) return settled.map((result) => result.value);
    throw new PublishManyError(definition.name, settled);
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
type Draft = Omit<OutgoingMessage, 'id'>;

async function draftOfItem(topic: TopicDefinition, item: unknown, where: string): Promise<Draft> {
  if (item === null || typeof item !== 'object') throw new MillraceError('INVALID_INPUT', `${where} must be an object with a payload.`);
  const { payload, ...options } = item as PublishItem<object>;
  return draftOf(topic, payload, { options, where });
}

async function draftOf(topic: TopicDefinition, payload: object, given: { options: unknown; where: string }): Promise<Draft> {
  const { where } = given;
  const { idempotencyKey = null, key, ...options } = publishOptions(given.options, where);
  assertHeaders(options.headers ?? {}, where);
  // What is checked is what is sent, whatever the caller does to its own object meanwhile.
  const headers = { ...options.headers };
  const payloadJson = await encodePayload(topic.payload, payload, where);
  return { key: checkedKey(key ?? keyOf(topic, payload, where), where), idempotencyKey, headers, payloadJson };
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
  if (typeof key === 'string' && Buffer.byteLength(key) <= MAX_KEY_BYTES) return key;
  throw new MillraceError('INVALID_OPTIONS', `${where}: the key must be a string of at most ${MAX_KEY_BYTES} bytes.`);
}
