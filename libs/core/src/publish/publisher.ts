import type { TopicOf } from '../contract/defined-topic.js';
import type { TopicDefinition, TopicRef } from '../contract/topic.js';
import type { UnknownProperties } from '../contract/unknown-properties.js';
import type { Outgoing, PublishPort, PublishResult } from '../delivery/ports.js';
import { asError, isMillraceError, MillraceError } from '../errors.js';
import { eventChannel } from '../events.js';
import { presentSpans, type Spans } from '../trace/spans.js';
import { newMessageId } from '../message-id.js';
import { durationMs } from '../duration.js';
import { type Contract, contractOf, type Draft, draftOf, type Given, ttlOf } from './draft.js';
import { HalfMessage } from './half-message.js';
import { type HalfOptions, halfRules } from './half-options.js';
import type { HalfPort, OutgoingHalf } from './half-port.js';
import { PreparedBatches } from './prepared-batches.js';
import { PreparedMessage, type PreparedParts } from './prepared-message.js';
import type { PublishOptions } from './publish-options.js';

const PUBLISHED = eventChannel('published');

/** One message of {@link Publisher.publishMany}. */
export interface PublishItem<T> extends PublishOptions {
  readonly payload: T;
}

/** A port of publishes that may keep half messages, too. */
export type PublisherPort = PublishPort & Partial<Pick<HalfPort, 'storeHalf'>>;

/** Publishes events: the class that a service injects. */
export class Publisher {
  readonly #port: PublisherPort;
  readonly #unknownProperties: UnknownProperties | undefined;
  readonly #contracts = new WeakMap<TopicRef, Contract>();

  /** @param unknownProperties for topics that say nothing themselves. Default `refuse` */
  constructor(port: PublisherPort, unknownProperties?: UnknownProperties) {
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
  publish<T>(topic: TopicOf<T>, payload: NoInfer<T>, options?: PublishOptions): Promise<PublishResult> {
    try {
      const contract = this.#contractOf(topic);
      const spans = presentSpans();
      const given = new GivenOne(topic, payload, options);
      if (spans === null) return this.#publish(contract, given);
      return spans.around({ operation: 'publish', target: contract.topic.name }, () => this.#publish(contract, given));
    } catch (thrown) {
      return Promise.reject(asError(thrown));
    }
  }

  /**
   * Publishes many messages together, in their order within each partition. All of them are validated first: when one is
   * not valid, nothing is published.
   *
   * @returns one result an item, in their order
   * @throws PublishManyError some of them could not be published; its `results` say which
   * @throws MillraceError those of {@link publish} that say that nothing was stored, with the number of the item
   */
  publishMany<T>(topic: TopicOf<T>, items: readonly PublishItem<NoInfer<T>>[]): Promise<PublishResult[]> {
    const spans = presentSpans();
    return spans === null ? this.#publishMany(topic, items) : this.#spannedMany(spans, topic, items);
  }

  /**
   * Validates and writes a message now, to be published later by {@link publishPrepared}, also more than once: its id, key,
   * headers and text are those of now, and its idempotency key, if it has one, makes it stored once. It is of use from each
   * publish on (`ttl`), and waits from there (`delay`); a `deliverAt` that has passed by then means at once.
   *
   * It throws at once, or rejects where the rules of the payload take their time; `await` treats both alike.
   *
   * @throws MillraceError NOT_A_TOPIC, INVALID_OPTIONS, INVALID_PAYLOAD, UNSERIALIZABLE_PAYLOAD, PAYLOAD_TOO_LARGE,
   *   INVALID_HEADERS
   */
  prepare<T>(
    topic: TopicOf<T>,
    payload: NoInfer<T>,
    options: PublishOptions = {},
  ): PreparedMessage | Promise<PreparedMessage> {
    const contract = this.#contractOf(topic);
    const draft = draftOf(contract, { payload, options, where: `prepare(${topic.name})` });
    // Before anything is waited for: the caller may go on with its object.
    const rule = { topic: contract.topic, ttlMs: ttlOf(contract.topic, options) };
    return 'then' in draft ? draft.then((made) => prepared(made, rule)) : prepared(draft, rule);
  }

  /**
   * Publishes prepared messages of any topics together, in their order within each partition of a topic. A message that cannot
   * be published stops no other one: one that is published again later comes behind those that followed it.
   *
   * @returns the outcome of each, in their order: a PublishResult, or the error of {@link publish}; INVALID_INPUT for an item
   *   that {@link prepare} did not return
   * @throws MillraceError INVALID_INPUT when it is no list
   */
  async publishPrepared(messages: readonly PreparedMessage[]): Promise<PromiseSettledResult<PublishResult>[]> {
    if (!Array.isArray(messages)) throw new MillraceError('INVALID_INPUT', 'publishPrepared(): the prepared messages must be an array.');
    const outcomes = await new PreparedBatches(messages).sent((topic, many) => this.#sendMany(topic, many));
    return outcomes.map(settled);
  }

  /**
   * Stores a message that no group sees yet, and resolves when Redis has it: then do what the message tells of, and
   * {@link HalfMessage.commit} or {@link HalfMessage.rollback} it. When this process dies before that, or neither comes within
   * `checkAfter`, the `@TransactionCheck` of the topic is asked, in whichever process of the application has one.
   *
   * @throws MillraceError as {@link publish}: nothing was stored. BACK_PRESSURE when the topic is full, half messages included
   * @throws IndefinitePublishError Redis did not answer, or not enough for the durability: if it is stored, a check decides
   * about it
   */
  async publishHalf<T>(topic: TopicOf<T>, payload: NoInfer<T>, options: HalfOptions = {}): Promise<HalfMessage> {
    const contract = this.#contractOf(topic);
    const where = `publishHalf(${contract.topic.name})`;
    const { storeHalf } = this.#port;
    if (!storeHalf) throw new MillraceError('INVALID_OPTIONS', `${where}: this publisher cannot keep half messages.`);
    const { checkAfter, checks, publish } = halfRules(options, where);
    const rule = { ttlMs: ttlOf(contract.topic, publish), checkAfterMs: durationMs(checkAfter), checks };
    const { message, sendOptions } = await draftOf(contract, { payload, options: publish, where });
    message.id = newMessageId();
    const half: OutgoingHalf = { message, sendOptions, ...rule };
    const stored = await storeHalf.call(this.#port, contract.topic, half);
    return new HalfMessage({ id: message.id, topic: contract.topic.name, key: message.key, stored });
  }

  #publish(contract: Contract, given: Given): Promise<PublishResult> {
    const draft = this.#draftOf(contract, given);
    return 'then' in draft ? draft.then((made) => this.#send(contract.topic, made)) : this.#send(contract.topic, draft);
  }

  async #spannedMany(spans: Spans, topic: TopicOf<unknown>, items: readonly PublishItem<unknown>[]): Promise<PublishResult[]> {
    const { topic: { name: target } } = this.#contractOf(topic);
    return spans.around({ operation: 'publish', target }, () => this.#publishMany(topic, items));
  }

  async #publishMany(topic: TopicOf<unknown>, items: readonly PublishItem<unknown>[]): Promise<PublishResult[]> {
    const contract = this.#contractOf(topic);
    const where = `publishMany(${topic.name})`;
    if (!Array.isArray(items)) throw new MillraceError('INVALID_INPUT', `${where}: the items must be an array.`);
    // Not `map`, which passes over the holes of a list.
    const draftAt = (item: unknown, index: number): Made =>
      attempted(() => this.#draftOf(contract, new GivenItem(item, where, index)));
    const made: Made[] = Array.from(items, draftAt);
    const drafts = made.every(isMade) ? made : await Promise.all(made.map(async (draft) => draft));
    for (const { message } of drafts) message.id = newMessageId();
    const outcomes = await this.#sendMany(contract.topic, drafts);
    if (outcomes.every(isPublished)) return [...outcomes];
    throw new PublishManyError(contract.topic.name, outcomes.map(settled));
  }

  #contractOf(published: TopicOf<unknown>): Contract {
    const topic = published as TopicRef;
    const known = this.#contracts.get(topic);
    if (known) return known;
    const contract = contractOf(topic, this.#unknownProperties);
    this.#contracts.set(topic, contract);
    return contract;
  }

  #draftOf(contract: Contract, given: Given): Made {
    const refused = (thrown: unknown): never => {
      PUBLISHED.publish({ topic: contract.topic.name, outcome: 'invalid', count: 1, durationMs: 0 });
      throw thrown;
    };
    if (!PUBLISHED.hasSubscribers) return draftOf(contract, given);
    try {
      const draft = draftOf(contract, given);
      return 'then' in draft ? draft.catch(refused) : draft;
    } catch (thrown) {
      return refused(thrown);
    }
  }

  #send(topic: TopicDefinition, { message, sendOptions }: Draft): Promise<PublishResult> {
    message.id = newMessageId();
    return this.#port.publish(topic, message, sendOptions);
  }

  #sendMany(topic: TopicDefinition, many: readonly Outgoing[]): Promise<readonly Outcome[]> {
    return this.#port.publishMany ? this.#port.publishMany(topic, many) : publishEach(this.#port, topic, many);
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

/** A message that is published by itself; its place is written only for an error. */
class GivenOne implements Given {
  readonly payload: unknown;
  readonly options: unknown;
  readonly #topic: { readonly name: string };

  constructor(topic: { readonly name: string }, payload: unknown, options: unknown) {
    this.#topic = topic;
    this.payload = payload;
    this.options = options;
  }

  get where(): string {
    return `publish(${this.#topic.name})`;
  }
}

/** An item of a list; errors name it by its number. */
class GivenItem implements Given {
  readonly payload: unknown;
  readonly options: unknown;
  readonly #call: string;
  readonly #index: number;

  constructor(item: unknown, call: string, index: number) {
    this.#call = call;
    this.#index = index;
    if (item === null || typeof item !== 'object') throw new MillraceError('INVALID_INPUT', `${this.where} must be an object with a payload.`);
    this.payload = (item as PublishItem<unknown>).payload;
    this.options = optionsIn(item as PublishItem<unknown>);
  }

  get where(): string {
    return `${this.#call}, item ${this.#index}`;
  }
}

/** Undefined for none: most items are a payload alone. */
function optionsIn(item: PublishItem<unknown>): PublishOptions | undefined {
  const names = Object.keys(item);
  if (names.length === 1 && names[0] === 'payload') return undefined;
  const { payload: _payload, ...options } = item;
  return options;
}

type Made = Draft | Promise<Draft>;
type Outcome = PublishResult | Error;

/** Turns an error that is thrown at once into a rejection: other items of the list may be waited for. */
function attempted(make: () => Made): Made {
  try {
    return make();
  } catch (thrown) {
    return Promise.reject(asError(thrown));
  }
}

function isMade(draft: Made): draft is Draft {
  return !('then' in draft);
}

function prepared(draft: Draft, rule: Omit<PreparedParts, 'draft'>): PreparedMessage {
  draft.message.id = newMessageId();
  Object.freeze(draft.message);
  return new PreparedMessage({ ...rule, draft });
}

async function publishEach(port: PublishPort, topic: TopicDefinition, many: readonly Outgoing[]): Promise<Outcome[]> {
  const publish = async ({ message, sendOptions }: Outgoing): Promise<PublishResult> => port.publish(topic, message, sendOptions);
  const results = await Promise.allSettled(many.map(publish));
  return results.map((result) => (result.status === 'fulfilled' ? result.value : asError(result.reason)));
}

function isPublished(outcome: Outcome): outcome is PublishResult {
  return 'duplicate' in outcome;
}

function settled(outcome: Outcome): PromiseSettledResult<PublishResult> {
  return isPublished(outcome) ? { status: 'fulfilled', value: outcome } : { status: 'rejected', reason: outcome };
}
