import { decodePayload, encodePayload, type PayloadClass } from '@millrace/core';

/** What a subscriber is handed of what was published. */
export async function delivered<T extends object>(type: PayloadClass<T>, payload: T): Promise<T> {
  return decodePayload(type, JSON.parse(await encodePayload(type, payload, 'publish()')), 'message');
}
