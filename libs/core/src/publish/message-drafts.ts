import type { TopicRef } from '../contract/topic.js';
import type { UnknownProperties } from '../contract/unknown-properties.js';
import type { OutgoingMessage, SendOptions } from '../delivery/ports.js';
import { MillraceError } from '../errors.js';
import { newMessageId } from '../message-id.js';
import { type Contract, contractOf, type Draft, draftOf, type Given } from './draft.js';

/** A message that is validated and written, to be stored elsewhere and published from there. */
export interface MessageDraft {
  /** The name of its topic. */
  readonly topic: string;
  readonly message: OutgoingMessage;
  readonly sendOptions: SendOptions | undefined;
}

/** Validates and writes messages exactly as `Publisher` does, and publishes nothing. */
export class MessageDrafts {
  readonly #unknownProperties: UnknownProperties | undefined;
  readonly #contracts = new WeakMap<TopicRef, Contract>();

  /** @param unknownProperties for topics that say nothing themselves. Default `refuse` */
  constructor(unknownProperties?: UnknownProperties) {
    this.#unknownProperties = unknownProperties;
  }

  /**
   * It waits only for rules of the payload that take their time, and may throw at once. A `deadline` is refused: nobody waits for
   * this publish.
   *
   * @throws MillraceError NOT_A_TOPIC, INVALID_OPTIONS, INVALID_PAYLOAD, UNSERIALIZABLE_PAYLOAD, PAYLOAD_TOO_LARGE,
   *   INVALID_HEADERS
   */
  draft(topic: TopicRef, given: Given): MessageDraft | Promise<MessageDraft> {
    const contract = this.#contractOf(topic);
    assertNoDeadline(given);
    const draft = draftOf(contract, given);
    return 'then' in draft ? draft.then((made) => identified(contract, made)) : identified(contract, draft);
  }

  #contractOf(topic: TopicRef): Contract {
    const known = this.#contracts.get(topic);
    if (known) return known;
    const contract = contractOf(topic, this.#unknownProperties);
    this.#contracts.set(topic, contract);
    return contract;
  }
}

function identified({ topic }: Contract, { message, sendOptions }: Draft): MessageDraft {
  message.id = newMessageId();
  return { topic: topic.name, message, sendOptions };
}

function assertNoDeadline({ options, where }: Given): void {
  if (options === null || typeof options !== 'object' || (options as { deadline?: unknown }).deadline === undefined) return;
  const why = 'the message is stored with your transaction and published after it, however long that takes';
  throw new MillraceError('INVALID_OPTIONS', `${where}: a deadline means nothing here, as ${why}. Leave it out; ttl ends its use.`);
}
