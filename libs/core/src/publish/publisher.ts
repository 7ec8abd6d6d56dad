import { encodePayload } from '../contract/payload.js';
import { type PayloadClass, type TopicDefinition, topicOf } from '../contract/topic.js';
import type { OutgoingMessage, PublishPort, PublishResult } from '../delivery/ports.js';
import { MillraceError } from '../errors.js';
import { newMessageId } from '../message-id.js';
import { parseOptions } from '../options/parse-options.js';
import { assertHeaders } from './headers.js';
import { PublishOptions } from './publish-options.js';

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
    return this.#port.publish(definition, await outgoing(definition, payload, options));
  }

  /**
   * Publishes many messages together, in their order within each partition. All of them are validated first: when one is
   * not valid, nothing is published.
   *
   * @returns one result an item, in their order
   * @throws MillraceError PUBLISH_REFUSED when some of them could not be published; its `results` tell which
   */
  async publishMany<T extends object>(topic: PayloadClass<T>, items: readonly PublishItem<T>[]): Promise<PublishResult[]> {
    const definition = topicOf(topic);
    const messages = await Promise.all(items.map(({ payload, ...options }) => outgoing(definition, payload, options)));
    const settled = await Promise.allSettled(messages.map((message) => this.#port.publish(definition, message)));
    if (settled.every((result) => result.status === 'fulfilled')) return settled.map((result) => result.value);
    throw new PublishManyError(definition.name, settled);
  }
}

/** Some messages of one {@link Publisher.publishMany} were not published; the others were. */
export class PublishManyError extends MillraceError {
  /** One an item, in their order. */
  readonly results: readonly PromiseSettledResult<PublishResult>[];

  constructor(topic: string, results: readonly PromiseSettledResult<PublishResult>[]) {
    const failed = results.flatMap((result, index) => (result.status === 'rejected' ? [{ index, reason: result.reason as Error }] : []));
    super('PUBLISH_REFUSED', `${failed.length} of ${results.length} messages were not published to '${topic}'; the others were.`, {
      problems: failed.slice(0, 10).map(({ index, reason }) => `item ${index}: ${reason.message}`),
      cause: failed[0]?.reason,
    });
    this.name = 'PublishManyError';
    this.results = results;
  }
}

async function outgoing<T extends object>(topic: TopicDefinition, payload: T, raw: PublishOptions): Promise<OutgoingMessage> {
  const where = `publish(${topic.payload.name})`;
  const options = parseOptions(PublishOptions, raw, where);
  const headers = options.headers ?? {};
  assertHeaders(headers, where);
  const payloadJson = await encodePayload(topic.payload, payload, where);
  const key = options.key ?? topic.key?.(payload as never) ?? null;
  if (key !== null && (typeof key !== 'string' || Buffer.byteLength(key) > 1024)) {
    throw new MillraceError('INVALID_OPTIONS', `${where}: the key must be a string of at most 1024 bytes.`);
  }
  return { id: newMessageId(), key: key === '' ? null : key, idempotencyKey: options.idempotencyKey ?? null, headers, payloadJson };
}
