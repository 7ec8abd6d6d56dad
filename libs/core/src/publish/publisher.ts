import type { PayloadClass, TopicDefinition } from '../contract/topic.js';
import type { UnknownProperties } from '../contract/unknown-properties.js';
import type { Outgoing, PublishPort, PublishResult } from '../delivery/ports.js';
import { asError, isMillraceError, MillraceError } from '../errors.js';
import { newMessageId } from '../message-id.js';
import { type Contract, contractOf, type Draft, draftOf, type Given } from './draft.js';
import type { PublishOptions } from './publish-options.js';

/** One message of {@link Publisher.publishMany}. */
export interface PublishItem<T extends object> extends PublishOptions {
  readonly payload: T;
}

/** Publishes events: the class that a service injects. */
export class Publisher {
  readonly #port: PublishPort;
  readonly #unknownProperties: UnknownProperties | undefined;
  readonly #contracts = new WeakMap<PayloadClass, Contract>();

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
  publish<T extends object>(topic: PayloadClass<T>, payload: T, options?: PublishOptions): Promise<PublishResult> {
    try {
      const contract = this.#contractOf(topic);
      const draft = draftOf(contract, new GivenOne(topic, payload, options));
      return 'then' in draft ? draft.then((made) => this.#send(contract.topic, made)) : this.#send(contract.topic, draft);
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
  async publishMany<T extends object>(topic: PayloadClass<T>, items: readonly PublishItem<T>[]): Promise<PublishResult[]> {
    const contract = this.#contractOf(topic);
    const where = `publishMany(${topic.name})`;
    if (!Array.isArray(items)) throw new MillraceError('INVALID_INPUT', `${where}: the items must be an array.`);
    // Not `map`, which passes over the holes of a list.
    const draftAt = (item: unknown, index: number): Made => attempted(() => draftOf(contract, new GivenItem(item, where, index)));
    const made: Made[] = Array.from(items, draftAt);
    const drafts = made.every(isMade) ? made : await Promise.all(made.map(async (draft) => draft));
    for (const { message } of drafts) message.id = newMessageId();
    const outcomes = await this.#sendMany(contract.topic, drafts);
    if (outcomes.every(isPublished)) return [...outcomes];
    throw new PublishManyError(contract.topic.name, outcomes.map(settled));
  }

  #contractOf(topic: PayloadClass): Contract {
    const known = this.#contracts.get(topic);
    if (known) return known;
    const contract = contractOf(topic, this.#unknownProperties);
    this.#contracts.set(topic, contract);
    return contract;
  }

  #send(topic: TopicDefinition, { message, sendOptions }: Draft): Promise<PublishResult> {
    message.id = newMessageId();
    return this.#port.publish(topic, message, sendOptions);
  }

  #sendMany(topic: TopicDefinition, drafts: readonly Draft[]): Promise<readonly Outcome[]> {
    return this.#port.publishMany ? this.#port.publishMany(topic, drafts) : publishEach(this.#port, topic, drafts);
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
  readonly #topic: PayloadClass;

  constructor(topic: PayloadClass, payload: unknown, options: unknown) {
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
    this.payload = (item as PublishItem<object>).payload;
    this.options = optionsIn(item as PublishItem<object>);
  }

  get where(): string {
    return `${this.#call}, item ${this.#index}`;
  }
}

/** Undefined for none: most items are a payload alone. */
function optionsIn(item: PublishItem<object>): PublishOptions | undefined {
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
