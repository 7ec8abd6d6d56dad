import { describe, expect, it } from '@jest/globals';
import {
  isTopic, type Message, MessageType, messageTypeOf, newMessageId, orTriedLater, type OutgoingMessage, prefilterOf, Publisher,
  Topic, topicOf,
} from '@millrace/core';
import { IsInt, IsString } from 'class-validator';

@Topic<OrderEvent>('orders', { key: ({ orderId }) => orderId })
class OrderEvent {
  @IsString() orderId!: string;
}

@MessageType('placed')
class OrderPlaced extends OrderEvent {
  @IsInt() amount!: number;
}

@MessageType('cancelled', { version: 3 })
class OrderCancelled extends OrderEvent {}

@Topic('plain')
class Plain {}

class NoType extends OrderEvent {}

const message = (type: string | null, schema = 1): Message => {
  return { id: newMessageId(), key: null, idempotencyKey: null, headers: {}, expiresAt: null, type, schema, payload: {} };
};

describe('@MessageType', () => {
  it('makes subclasses stand for the topic of their base class, with a name and a version', () => {
    expect([OrderPlaced, OrderCancelled].map(topicOf)).toEqual([topicOf(OrderEvent), topicOf(OrderEvent)]);
    expect([OrderEvent, OrderPlaced, OrderCancelled, NoType].map(isTopic)).toEqual([true, true, true, false]);
    expect(messageTypeOf(OrderCancelled)).toEqual({ name: 'cancelled', version: 3, payload: OrderCancelled });
    expect(messageTypeOf(OrderEvent)).toEqual({ name: null, version: 1, payload: OrderEvent });
    expect([...topicOf(OrderEvent).types.keys()]).toEqual(['placed', 'cancelled']);
    expect(topicOf(Plain).types.size).toBe(0);
  });

  it('is written into what is published, and its class decides what is valid', async () => {
    const sent: OutgoingMessage[] = [];
    const publisher = new Publisher({ publish: (_, outgoing) => (sent.push(outgoing), Promise.reject(new Error('enough'))) });
    await publisher.publish(OrderPlaced, { orderId: 'a', amount: 1 }).catch(() => 0);
    await publisher.publishMany(OrderCancelled, [{ payload: { orderId: 'b' } }]).catch(() => 0);
    await publisher.publish(OrderEvent, { orderId: 'c' }).catch(() => 0);
    expect(sent).toMatchObject([
      { type: 'placed', schema: 1, key: 'a' }, { type: 'cancelled', schema: 3, key: 'b' }, { type: null, schema: 1, key: 'c' },
    ]);
    await expect(publisher.publish(OrderPlaced, { orderId: 'a' } as never)).rejects.toMatchObject({ code: 'INVALID_PAYLOAD' });
  });

  it('refuses what cannot be, where it is written', () => {
    const refused = (make: () => unknown, code: string): void => expect(make).toThrow(expect.objectContaining({ code }));
    refused(() => MessageType('x')(class Alone {}), 'NOT_A_TOPIC');
    refused(() => MessageType('placed')(class Again extends OrderEvent {}), 'CONTRACT_CONFLICT');
    refused(() => MessageType('again')(OrderPlaced), 'CONTRACT_CONFLICT');
    refused(() => MessageType('placed')(OrderPlaced), 'CONTRACT_CONFLICT');
    refused(() => Topic('other')(OrderPlaced), 'CONTRACT_CONFLICT');
    refused(() => Topic('other')(Plain), 'CONTRACT_CONFLICT');
    expect([...topicOf(OrderEvent).types.keys()]).toEqual(['placed', 'cancelled']);
    refused(() => MessageType('a b'), 'INVALID_NAME');
    refused(() => MessageType('x', { version: 0 }), 'INVALID_OPTIONS');
    refused(() => topicOf(NoType), 'NOT_A_TOPIC');
  });
});

describe('the prefilter of a subscription', () => {
  const topic = topicOf(OrderEvent);
  const filtered = { kind: 'ack', filtered: true };
  const dead = (reason: string): object => ({ kind: 'dead-letter', reason, error: { code: reason } });

  it.each([
    ['all types', null, 'placed', 1, null],
    ['all types', null, null, 1, null],
    ['all types', null, 'cancelled', 3, null],
    ['all types', null, 'cancelled', 4, dead('UNSUPPORTED_VERSION')],
    ['all types', null, 'shipped', 1, dead('UNKNOWN_MESSAGE_TYPE')],
    ['one type', 'placed', 'placed', 1, null],
    ['one type', 'placed', 'placed', 2, dead('UNSUPPORTED_VERSION')],
    ['one type', 'placed', 'cancelled', 9, filtered],
    ['one type', 'placed', 'shipped', 1, filtered],
    ['one type', 'placed', null, 1, filtered],
  ])('to %s (%p) says of the type %p in version %p: %p', (_, own, type, schema, expected) => {
    const outcome = prefilterOf({ topic, type: own })(message(type, schema));
    if (expected === null) expect(outcome).toBeNull();
    else expect(outcome).toMatchObject(expected);
  });

  it.each([
    ['UNKNOWN_MESSAGE_TYPE', 0, { kind: 'retry', delayMs: 1_000, sameAttempt: true }],
    ['UNSUPPORTED_VERSION', 4_000, { kind: 'retry', delayMs: 4_000, sameAttempt: true }],
    ['UNKNOWN_MESSAGE_TYPE', 45_000, { kind: 'retry', delayMs: 15_000, sameAttempt: true }],
    ['UNKNOWN_MESSAGE_TYPE', 60_000, { kind: 'dead-letter', reason: 'UNKNOWN_MESSAGE_TYPE' }],
    ['MALFORMED_ENVELOPE', 0, { kind: 'dead-letter', reason: 'MALFORMED_ENVELOPE' }],
  ] as const)('leaves what others may know to them for a minute: %s after %i ms', (reason, triedMs, expected) => {
    const outcome = { kind: 'dead-letter', reason, error: { name: 'E', message: 'm' } } as const;
    expect(orTriedLater(outcome, { triedMs, mostMs: 60_000 })).toMatchObject(expected);
  });

  it('lets everything through for a topic without types', () => {
    expect(prefilterOf({ topic: topicOf(Plain) })(message('placed', 7))).toBeNull();
  });

  it('does not look at the type of what the filter keeps out', () => {
    expect(prefilterOf({ topic, filter: { type: 'placed' } })(message('shipped'))).toEqual(filtered);
  });
});
