import type { TopicDefinition } from '../contract/topic.js';
import type { Outgoing, SendOptions } from '../delivery/ports.js';
import { type Draft, expiryOf } from './draft.js';

export interface PreparedParts {
  readonly topic: TopicDefinition;
  readonly draft: Draft;
  /** How long the message is of use from each publish on, or from when it is due; null for ever. */
  readonly ttlMs: number | null;
}

/**
 * A message that `Publisher.prepare` has validated and written: its id, key and text stay the same however often it is published.
 * It belongs to its process; what is to outlast that is the payload and its idempotency key.
 */
export class PreparedMessage {
  readonly id: string;
  /** The name of its topic. */
  readonly topic: string;
  readonly key: string | null;
  readonly idempotencyKey: string | null;
  readonly #parts: PreparedParts;

  constructor(parts: PreparedParts) {
    const { id, key, idempotencyKey } = parts.draft.message;
    this.id = id;
    this.topic = parts.topic.name;
    this.key = key;
    this.idempotencyKey = idempotencyKey;
    this.#parts = parts;
    Object.freeze(this);
  }

  /** Null for whatever `Publisher.prepare` did not return, also when it looks like that. */
  static partsOf(value: unknown): PreparedParts | null {
    return typeof value === 'object' && value !== null && #parts in value ? value.#parts : null;
  }
}

/** The message as a publish at this moment sends it. */
export function outgoingNow({ draft, ttlMs }: PreparedParts): Outgoing {
  const sendOptions = sendOptionsNow(draft.sendOptions);
  if (ttlMs === null) return { message: draft.message, sendOptions };
  return { message: { ...draft.message, expiresAt: expiryOf(ttlMs, sendOptions?.due) }, sendOptions };
}

/** A moment that has passed means at once. */
function sendOptionsNow(sendOptions: SendOptions | undefined): SendOptions | undefined {
  const due = sendOptions?.due;
  return due && 'atMs' in due && due.atMs <= Date.now() ? { ...sendOptions, due: undefined } : sendOptions;
}
