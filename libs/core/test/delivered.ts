import { decodePayload, encodePayload, type PayloadClass } from '@millrace/core';

/** The payload that a subscriber gets for a published one. */
export async function delivered<T extends object>(type: PayloadClass<T>, payload: T): Promise<T> {
  return decodePayload(type, JSON.parse(await encodePayload(type, payload, 'publish()')), 'message');
}
