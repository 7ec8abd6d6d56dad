import { describe, expect, it } from '@jest/globals';
import {
  AnyJson, defineTopic, isTopicRef, type Message, MessageType, messageTypeOf, newMessageId, type PayloadClass, payloadClassOf,
  prefilterOf, Publisher, Topic, topicOf, topicOfRef,
} from '@millrace/core';
import { IsInt, IsString } from 'class-validator';
import { Recorder } from './recorder.js';
import { thrownBy } from './thrown.js';

interface AuditEntry {
  readonly actor: string;
  readonly what: string;
}

@Topic<Order>('orders', { partitions: 4, key: ({ customer }) => customer, unknownProperties: 'keep' })
class Order {
  @IsString() customer!: string;
}

@MessageType('large', { version: 2 })
class LargeOrder extends Order {
  @IsInt() amount!: number;
}

class Plain {
  @IsString() name!: string;
}

const Audit = defineTopic<AuditEntry>('audit.entries', { partitions: 4, key: (entry) => entry.actor });
const Mirror = defineTopic('orders.mirrored', { payload: Order, partitions: 8, key: (order) => order.customer.toUpperCase() });
const Anything = defineTopic('anything');

function message(type: string | null): Message {
  return { id: newMessageId(), key: null, idempotencyKey: null, headers: {}, expiresAt: null, type, schema: 1, payload: {} };
}

describe('defineTopic', () => {
  it('knows the defaults of @Topic, and no class', () => {
    expect(Anything).toEqual({
      name: 'anything', partitions: 1, idempotencyWindowMs: 86_400_000, idempotencyScope: 'topic', ttlMs: null, durability: 'server', retention: null,
      key: undefined, unknownProperties: undefined, payload: null, types: new Map(),
    });
    expect(Object.isFrozen(Anything)).toBe(true);
  });

  it('gives a topic that stands wherever a class with @Topic does', () => {
    expect([Audit, Mirror, Order, LargeOrder, topicOf(Order)].map(isTopicRef)).toEqual([true, true, true, true, true]);
    expect([Audit, Mirror].map(topicOfRef)).toEqual([Audit, Mirror]);
    expect([undefined, null, 'audit.entries', {}, { name: 'a', partitions: 1 }, Plain, new Order()].map(isTopicRef)).not.toContain(true);
  });

  it('takes a class that is another topic, a type of one, or none', () => {
    const topics = [Order, LargeOrder, Plain].map((payload: PayloadClass) => defineTopic('one', { payload }));
    expect(topics.map(({ payload, name }) => [payload, name])).toEqual([[Order, 'one'], [LargeOrder, 'one'], [Plain, 'one']]);
    expect(topics.map(messageTypeOf)).toEqual([Order, LargeOrder, Plain].map((payload) => ({ name: null, version: 1, payload })));
    expect(topicOf(Order)).toMatchObject({ name: 'orders', partitions: 4 });
  });

  it('names the class that a message is made an instance of, whatever types others give to its messages', () => {
    expect([message(null), message('large')].map((one) => payloadClassOf(Mirror, one))).toEqual([Order, Order]);
    expect([message(null), message('large')].map((one) => payloadClassOf(Audit, one))).toEqual([AnyJson, AnyJson]);
    expect(payloadClassOf(topicOf(Order), message('large'))).toBe(LargeOrder);
    expect(prefilterOf({ topic: Audit })(message('large'))).toBeNull();
  });

  it.each([
    ['a name that is none', () => defineTopic('a b'), 'INVALID_NAME', 'as the name of a topic'],
    ['an unknown option', () => defineTopic('a', { partitons: 4 } as object), 'INVALID_OPTIONS', "did you mean 'partitions'?"],
    ['a bad option', () => defineTopic('a', { partitions: 0 }), 'INVALID_OPTIONS', 'partitions must not be less than 1'],
    ['a bad retention', () => defineTopic('a', { retention: { maxAge: '1ms' } }), 'INVALID_OPTIONS', "defineTopic('a'), retention"],
    ['no options', () => defineTopic('a', null as unknown as object), 'INVALID_OPTIONS', 'must be an object'],
    ['a payload that is no class', () => defineTopic('a', { payload: (() => 1) as never }), 'INVALID_OPTIONS', 'payload must be a class'],
    ['a payload that is an instance', () => defineTopic('a', { payload: new Plain() as never }), 'INVALID_OPTIONS', 'payload must be a class'],
    ['null for a payload', () => defineTopic('a', { payload: null as never }), 'INVALID_OPTIONS', 'payload must not be null'],
    ['a class that is not there yet', () => defineTopic('a', { payload: undefined as never }), 'INVALID_OPTIONS', 'import each other in a circle'],
    [
      'a rule for properties that no class declares', () => defineTopic('a', { unknownProperties: 'keep' } as never), 'INVALID_OPTIONS',
      'unknownProperties must not be given without payload',
    ],
    [
      'an unknown rule for properties', () => defineTopic('a', { payload: Plain, unknownProperties: 'keeep' as never }), 'INVALID_OPTIONS',
      "did you mean 'keep'?",
    ],
  ])('refuses %s', async (_, define, code, text) => {
    const error = await thrownBy(define);
    expect(error).toMatchObject({ code, message: expect.stringContaining(text) });
  });

  it('is named by what is no topic', async () => {
    const { publisher } = new Recorder();
    const error = await thrownBy(() => publisher.publish({ name: 'a', partitions: 1 } as never, {}));
    expect(error).toMatchObject({ code: 'NOT_A_TOPIC', message: expect.stringContaining("or give what defineTopic('its.name') returns") });
  });
});

describe('a topic with a class of its own name', () => {
  it('publishes as a class topic does, by its own options and without a type', async () => {
    const { publisher, sent, topics } = new Recorder();
    await publisher.publish(Mirror, { customer: 'a' });
    await publisher.publishMany(Mirror, [{ payload: Object.assign(new Order(), { customer: 'b' }), key: 'own' }]);
    expect(topics).toEqual([Mirror, Mirror]);
    expect(sent).toMatchObject([
      { key: 'A', type: null, schema: 1, payloadJson: '{"customer":"a"}' }, { key: 'own', type: null, payloadJson: '{"customer":"b"}' },
    ]);
  });

  it('validates, and goes by its own rule for properties, not by that of the class', async () => {
    const { publisher, sent } = new Recorder();
    const more = { customer: 'a', more: 1 };
    expect(await thrownBy(() => publisher.publish(Mirror, { customer: 7 } as never))).toMatchObject({
      code: 'INVALID_PAYLOAD', message: expect.stringContaining('publish(orders.mirrored): the payload is no valid Order.'),
    });
    expect(await thrownBy(() => publisher.publish(Mirror, more))).toMatchObject({ code: 'INVALID_PAYLOAD' });
    await publisher.publish(Order, more);
    await publisher.publish(defineTopic('stripped', { payload: Order, unknownProperties: 'strip' }), more);
    expect(sent.map(({ payloadJson }) => payloadJson)).toEqual(['{"customer":"a","more":1}', '{"customer":"a"}']);
  });

  it('is told from other topics of the class by one publisher', async () => {
    const { publisher, topics } = new Recorder();
    const Copy = defineTopic('orders.copied', { payload: Order });
    for (const topic of [Order, Mirror, Copy, Order, Mirror]) await publisher.publish(topic, { customer: 'a' });
    expect(topics.map(({ name }) => name)).toEqual(['orders', 'orders.mirrored', 'orders.copied', 'orders', 'orders.mirrored']);
  });
});

/** The compiler is the test: `@ts-expect-error` is an error itself where the line below it compiles. */
export const types = {
  entry: (publisher: Publisher) => publisher.publish(Audit, { actor: 'a', what: 'b' }),
  entries: (publisher: Publisher) => publisher.publishMany(Audit, [{ payload: { actor: 'a', what: 'b' }, ttl: '1h' }]),
  anything: (publisher: Publisher) => [publisher.publish(Anything, null), publisher.publish(Anything, [1, 'a', true])],
  text: (publisher: Publisher) => publisher.publish(defineTopic<string>('texts'), 'a'),
  mirror: (publisher: Publisher) => publisher.publish(Mirror, { customer: 'a' }),
  type: (publisher: Publisher) => publisher.publish(LargeOrder, { customer: 'a', amount: 1 }),
  // @ts-expect-error a part of the entry is missing
  part: (publisher: Publisher) => publisher.publish(Audit, { actor: 'a' }),
  // @ts-expect-error another type of payload
  other: (publisher: Publisher) => publisher.publish(Audit, 'a'),
  // @ts-expect-error the class has a customer
  empty: (publisher: Publisher) => publisher.publish(Mirror, {}),
  // @ts-expect-error so has that of a class topic
  emptyOfClass: (publisher: Publisher) => publisher.publish(Order, {}),
  // @ts-expect-error another type of payload in an item
  item: (publisher: Publisher) => publisher.publishMany(Audit, [{ payload: 7 }]),
  // @ts-expect-error the key function gets an entry
  key: () => defineTopic<AuditEntry>('a', { key: (entry: { customer: string }) => entry.customer }),
  // @ts-expect-error unknownProperties is for topics with a class
  rule: () => defineTopic<AuditEntry>('a', { unknownProperties: 'keep' }),
};
