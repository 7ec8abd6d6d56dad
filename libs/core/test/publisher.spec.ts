import { describe, expect, it } from '@jest/globals';
import {
  assertHeaders, assertName, fsynced, IndefinitePublishError, MAX_HEADER_BYTES, MillraceError, newMessageId, type OutgoingMessage,
  parseOptions, PublishManyError, Publisher, PublishOptions, publishOptions, type PublishPort, type PublishResult,
  type SendOptions, replicated, Topic, type TopicDefinition, type TopicOptions,
} from '@millrace/core';
import { IsString } from 'class-validator';
import fc from 'fast-check';
import { thrownBy } from './thrown.js';

@Topic<Order>('orders', { partitions: 4, key: (order) => order.customer })
class Order {
  @IsString()
  customer!: string;
}

/** The other side of the publisher: remembers what arrives, and answers as it is told. */
class Recorder implements PublishPort {
  readonly messages: OutgoingMessage[] = [];
  readonly sendOptions: (SendOptions | undefined)[] = [];
  readonly #answer: (message: OutgoingMessage) => PublishResult;

  constructor(answer: (message: OutgoingMessage) => PublishResult = stored) {
    this.#answer = answer;
  }

  async publish(_topic: TopicDefinition, message: OutgoingMessage, sendOptions?: SendOptions): Promise<PublishResult> {
    this.messages.push(message);
    this.sendOptions.push(sendOptions);
    return Promise.resolve(this.#answer(message));
  }
}

function stored({ id }: OutgoingMessage): PublishResult {
  return { id, partition: 0, offset: 0, duplicate: false };
}

function publisherWith(port: PublishPort = new Recorder()): { publisher: Publisher; sent: OutgoingMessage[] } {
  return { publisher: new Publisher(port), sent: (port as Recorder).messages };
}

describe('publish', () => {
  it('hands over one message with its id, key and text', async () => {
    const { publisher, sent } = publisherWith();
    const before = newMessageId();
    const result = await publisher.publish(Order, { customer: 'c1' }, { idempotencyKey: 'k', headers: { trace: 't' } });
    expect(sent).toEqual([
      { id: result.id, key: 'c1', idempotencyKey: 'k', headers: { trace: 't' }, expiresAt: null, type: null, schema: 1, payloadJson: '{"customer":"c1"}' },
    ]);
    expect(result.id > before).toBe(true);
  });

  it('has nothing where nothing was given', async () => {
    @Topic('plain')
    class Plain {}
    const { publisher, sent } = publisherWith();
    await publisher.publish(Plain, {});
    await publisher.publish(Plain, {}, { idempotencyKey: undefined, key: undefined, headers: undefined });
    await publisher.publish(Plain, {}, { key: '' });
    for (const message of sent) expect(message).toMatchObject({ key: null, idempotencyKey: null, headers: {}, payloadJson: '{}' });
  });

  it('takes a key in place of the topic’s, with every character in it', async () => {
    const { publisher, sent } = publisherWith();
    for (const key of ['a|b', 'a:b', '{a}', '\0\r\n', 'ü'.repeat(512), '__proto__']) await publisher.publish(Order, { customer: 'c1' }, { key });
    expect(sent.map(({ key }) => key)).toEqual(['a|b', 'a:b', '{a}', '\0\r\n', 'ü'.repeat(512), '__proto__']);
  });

  it.each([
    ['longer than 1024 bytes', { key: 'ü'.repeat(513) }],
    ['no string', { key: 7 }],
    ['null', { key: null }],
    ['a list', { key: ['a'] }],
  ])('refuses a key that is %s', async (_, options) => {
    const { publisher, sent } = publisherWith();
    expect(await thrownBy(() => publisher.publish(Order, { customer: 'c' }, options as PublishOptions))).toMatchObject({ code: 'INVALID_OPTIONS' });
    expect(sent).toEqual([]);
  });

  it.each([
    ['throws', () => { throw new Error('no customer'); }],
    ['gives a number', () => 7],
    ['gives a promise', () => Promise.resolve('c')],
  ])('refuses when the key function of the topic %s', async (_, key) => {
    class Keyed {}
    Topic('keyed', { key: key as unknown as () => string })(Keyed);
    const error = await thrownBy(() => publisherWith().publisher.publish(Keyed, {}));
    expect(error).toMatchObject({ code: 'INVALID_OPTIONS', message: expect.stringContaining('publish(Keyed)') });
  });

  it('sends what was checked, whatever the caller does meanwhile', async () => {
    const { publisher, sent } = publisherWith();
    const order = { customer: 'c1' };
    const headers: Record<string, string> = { a: '1' };
    const publishing = publisher.publish(Order, order, { headers });
    Object.assign(headers, { a: 7, 'b\n': 'x' });
    Object.assign(order, { more: 1n });
    await publishing;
    expect(sent).toMatchObject([{ headers: { a: '1' }, payloadJson: '{"customer":"c1"}' }]);
  });

  it.each([
    ['the class is no topic', class Plain {}, {}, {}, 'NOT_A_TOPIC'],
    ['the payload does not validate', Order, { customer: 7 }, {}, 'INVALID_PAYLOAD'],
    ['an option is not known', Order, { customer: 'c' }, { idempotencykey: 'k' }, 'INVALID_OPTIONS'],
    ['the options are none', Order, { customer: 'c' }, 'k', 'INVALID_OPTIONS'],
    ['the options are null', Order, { customer: 'c' }, null, 'INVALID_OPTIONS'],
    ['a header is not valid', Order, { customer: 'c' }, { headers: { 'a b': 'x' } }, 'INVALID_HEADERS'],
  ])('refuses when %s, and hands over nothing', async (_, topic, payload, options, code) => {
    const { publisher, sent } = publisherWith();
    const error = await thrownBy(() => publisher.publish(topic as typeof Order, payload as Order, options as PublishOptions));
    expect(error).toMatchObject({ code, retryable: false });
    expect(sent).toEqual([]);
  });
});

describe('idempotency keys', () => {
  it.each(['k', 'x'.repeat(256), 'ü'.repeat(128), '\0', 'a:b{c}|*', ' ', '__proto__', '\u{1f600}'])('may be %p', async (idempotencyKey) => {
    const { publisher, sent } = publisherWith();
    await publisher.publish(Order, { customer: 'c' }, { idempotencyKey });
    expect(sent[0]?.idempotencyKey).toBe(idempotencyKey);
  });

  it.each(['', 'x'.repeat(257), 'ü'.repeat(129), 'x'.repeat(1_048_576), null, 7, {}, ['k'], true, 'half \ud800', '\udc00'])('must not be %p', async (key) => {
    const { publisher, sent } = publisherWith();
    const error = await thrownBy(() => publisher.publish(Order, { customer: 'c' }, { idempotencyKey: key as string }));
    expect(error).toMatchObject({ code: 'INVALID_OPTIONS' });
    expect(error.message.length).toBeLessThan(300);
    expect(sent).toEqual([]);
  });
});

describe('half a character, which Redis would keep as another text', () => {
  @Topic<Keyed>('keyed', { key: ({ customer }) => customer })
  class Keyed {
    @IsString() customer!: string;
  }
  const HALVES = ['\ud800', 'a\udc00b', '\udc00\ud800', '\u{1f600}\ud83d'];
  const uses: [string, typeof Order | typeof Keyed, (half: string) => PublishOptions & { customer?: string }, string][] = [
    ['an idempotency key', Order, (half) => ({ idempotencyKey: half }), 'INVALID_OPTIONS'],
    ['a key', Order, (half) => ({ key: half }), 'INVALID_OPTIONS'],
    ['the key that a topic makes', Keyed, (half) => ({ customer: half }), 'INVALID_OPTIONS'],
    ['the value of a header', Order, (half) => ({ headers: { a: half } }), 'INVALID_HEADERS'],
    ['the name of a header', Order, (half) => ({ headers: { [half]: 'a' } }), 'INVALID_HEADERS'],
  ];

  it.each(uses)('is refused in %s', async (_, topic, use, code) => {
    const { publisher, sent } = publisherWith();
    for (const half of HALVES) {
      const { customer = 'c', ...options } = use(half);
      expect(await thrownBy(() => publisher.publish(topic, { customer }, options))).toMatchObject({ code, retryable: false });
    }
    expect(sent).toEqual([]);
  });

  it.each(['topic', 'group', 'queue', 'job', 'key prefix', 'message type'] as const)('is refused in the name of a %s', (kind) => {
    for (const half of HALVES) expect(() => assertName(kind, half)).toThrow(expect.objectContaining({ code: 'INVALID_NAME' }));
  });

  it('is told from whole ones', async () => {
    const { publisher, sent } = publisherWith();
    const whole = 'a \u{1f600} \ufffd';
    await publisher.publish(Order, { customer: 'c' }, { key: whole, idempotencyKey: whole, headers: { a: whole } });
    expect(sent).toMatchObject([{ key: whole, idempotencyKey: whole, headers: { a: whole } }]);
  });
});

describe('the time to live of a message', () => {
  @Topic('offers', { ttl: '1h' })
  class Offer {}

  it.each([
    ['as long as the topic says', Offer, {}, 3_600_000],
    ['as long as its publish says', Offer, { ttl: '1d' }, 86_400_000],
    ['as long as its publish says, of a topic that says nothing', Order, { ttl: '1ms' }, 1],
  ] as const)('is %s', async (_, topic, options, ms) => {
    const { publisher, sent } = publisherWith();
    const before = Date.now();
    await publisher.publish<object>(topic, { customer: 'c' }, options);
    expect(sent[0]!.expiresAt).toBeGreaterThanOrEqual(before + ms);
    expect(sent[0]!.expiresAt).toBeLessThanOrEqual(Date.now() + ms);
  });

  it.each(['0ms', '366d', 'soon', '-1s', 5, null])('is not %p', async (ttl) => {
    expect(await thrownBy(() => publisherWith().publisher.publish(Order, { customer: 'c' }, { ttl } as PublishOptions))).toMatchObject({ code: 'INVALID_OPTIONS' });
    expect(() => Topic('offers', { ttl } as TopicOptions)).toThrow(expect.objectContaining({ code: 'INVALID_OPTIONS' }));
  });
});

describe('when a message is due', () => {
  const now = (): number => Date.now();

  it('is told to the port: so much later, at a moment, or at once', async () => {
    const recorder = new Recorder();
    const { publisher } = publisherWith(recorder);
    const deliverAt = new Date(now() + 60_000);
    for (const options of [{ delay: '5s' }, { deliverAt }, { delay: '0s' }, { deliverAt: new Date(now() - 1) }, {}] as PublishOptions[]) {
      await publisher.publish(Order, { customer: 'c' }, options);
    }
    const due = recorder.sendOptions.map((sendOptions) => sendOptions?.due);
    expect(due).toEqual([{ inMs: 5_000 }, { atMs: deliverAt.getTime() }, undefined, undefined, undefined]);
  });

  it('is when its ttl begins', async () => {
    const { publisher, sent } = publisherWith();
    const before = now();
    const deliverAt = new Date(before + 60_000);
    await publisher.publish(Order, { customer: 'c' }, { deliverAt, ttl: '1s' });
    await publisher.publish(Order, { customer: 'c' }, { delay: '1m', ttl: '1s' });
    expect(sent[0]!.expiresAt).toBe(deliverAt.getTime() + 1_000);
    expect(sent[1]!.expiresAt).toBeGreaterThanOrEqual(before + 61_000);
    expect(sent[1]!.expiresAt).toBeLessThanOrEqual(now() + 61_000);
  });

  it.each([
    ['both', { delay: '1s', deliverAt: new Date() }],
    ['no date', { deliverAt: new Date(Number.NaN) }],
    ['text', { deliverAt: '2026-11-21' }],
    ['more than 365 days away', { deliverAt: new Date(now() + 366 * 86_400_000) }],
    ['a delay of more than 365 days', { delay: '366d' }],
    ['null', { deliverAt: null }],
  ])('is not %s', async (_, options) => {
    const { publisher, sent } = publisherWith();
    expect(await thrownBy(() => publisher.publish(Order, { customer: 'c' }, options as PublishOptions))).toMatchObject({ code: 'INVALID_OPTIONS' });
    expect(sent).toEqual([]);
  });
});

describe('headers', () => {
  const many = (count: number): Record<string, string> => Object.fromEntries(Array.from({ length: count }, (_, index) => [`h${index}`, 'x']));

  it.each([
    ['none', {}],
    ['64', many(64)],
    ['8 KiB', { a: 'x'.repeat(MAX_HEADER_BYTES) }],
    ['8 KiB of wide characters', { a: 'ü'.repeat(MAX_HEADER_BYTES / 2) }],
    ['a tab and every letter', { 'Content-Type': 'a\tb é 漢 \u{1f600}', 'x_1.2': '' }],
    ['without a prototype', Object.assign(Object.create(null) as object, { a: 'b' })],
    ['constructor and toString', { constructor: 'x', toString: 'y' }],
    ['what looks like Lua', { a: "redis.call('FLUSHALL')" }],
  ])('may be %s', (_, headers) => {
    expect(() => assertHeaders(headers, 'publish()')).not.toThrow();
  });

  it.each([
    ['65', many(65)],
    ['10,000', many(10_000)],
    ['8 KiB and a byte', { a: 'x'.repeat(MAX_HEADER_BYTES + 1) }],
    ['8 KiB and more in wide characters', { a: 'ü'.repeat(MAX_HEADER_BYTES / 2 + 1) }],
    ['a line break in a value', { a: 'b\r\nc: d' }],
    ['another line break', { a: 'b\nc' }],
    ['NUL in a value', { a: '\0' }],
    ['an escape in a value', { a: '\u001b[31m' }],
    ['a line break in a name', { 'a\r\nb': 'c' }],
    ['no name', { '': 'a' }],
    ['a long name', { ['n'.repeat(129)]: 'a' }],
    ['a name in other letters', { ü: 'a' }],
    ['__proto__', JSON.parse('{"__proto__":{"admin":true}}') as object],
    ['a number', { a: 7 }],
    ['null', { a: null }],
    ['undefined', { a: undefined }],
    ['an object', { a: { b: 'c' } }],
    ['a list of values', { a: ['b'] }],
    ['a list', ['a', 'b']],
    ['text', 'a: b'],
    ['nothing', null],
    ['a Map, which has no properties', new Map([['a', 'b']])],
    ['what fetch takes', new Headers({ a: 'b' })],
    ['an instance', new (class Sent { a = 'b'; })()],
  ])('must not be %s', async (_, headers) => {
    const error = await thrownBy(() => assertHeaders(headers, 'publish(Order)'));
    expect(error).toMatchObject({ code: 'INVALID_HEADERS', message: expect.stringMatching(/^publish\(Order\): /) });
    expect(error.message).not.toMatch(/[^\P{Cc}\n]/u);
    expect(error.message.length).toBeLessThan(5_000);
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });

  it('are told of all at once, up to 20', async () => {
    const bad = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`h${index}`, 7])) as unknown;
    expect((await thrownBy(() => assertHeaders(bad, 'publish()'))).problems).toHaveLength(20);
  });
});

describe('the quick look at publish options', () => {
  it('passes exactly what the rules pass', () => {
    const value = fc.oneof(fc.string(), fc.constantFrom('', 'x'.repeat(257), '\ud800', null, undefined, 7, true), fc.array(fc.string()), fc.dictionary(fc.string(), fc.string()));
    const delays = {
      delay: fc.constantFrom('0s', '1s', '366d', undefined, 5),
      deliverAt: fc.constantFrom(new Date(), new Date(Number.NaN), new Date(8e15), new Date(0), '2026-11-21', 0, undefined),
    };
    const levels = { durability: fc.constantFrom('server', replicated(1), fsynced(), 'disk', {}, null, undefined) };
    const raw = fc.oneof(
      fc.record({ idempotencyKey: value, key: value, headers: value, ttl: fc.oneof(value, fc.constantFrom('1ms', '0ms', '365d', '366d')), deadline: fc.constantFrom('1ms', '1d', '2d', 5), ...delays, ...levels, other: value, __proto__: value }, { requiredKeys: [] }),
      value,
    );
    const outcome = (parse: () => object): unknown => {
      try {
        return { ...parse() };
      } catch (error) {
        return (error as MillraceError).message;
      }
    };
    const undefinedLeftOut = (given: unknown): unknown => (given !== null && typeof given === 'object' ? JSON.parse(JSON.stringify(given)) : given);
    fc.assert(
      fc.property(raw, (options) => {
        const quick = outcome(() => publishOptions(options, 'here'));
        expect(undefinedLeftOut(quick)).toEqual(undefinedLeftOut(outcome(() => parseOptions(PublishOptions, options, 'here'))));
      }),
      { numRuns: 500 },
    );
  });
});

describe('publishMany', () => {
  it('publishes in order, with ids in that order, and answers in order', async () => {
    const { publisher, sent } = publisherWith();
    const items = Array.from({ length: 300 }, (_, index) => ({ payload: { customer: `c${index}` }, idempotencyKey: `k${index}` }));
    const results = await publisher.publishMany(Order, items);
    expect(sent.map(({ key }) => key)).toEqual(items.map(({ payload }) => payload.customer));
    expect(results.map(({ id }) => id)).toEqual(sent.map(({ id }) => id));
    expect(sent.map(({ id }) => id)).toEqual(sent.map(({ id }) => id).sort());
  });

  it('does nothing for an empty list', async () => {
    expect(await publisherWith().publisher.publishMany(Order, [])).toEqual([]);
  });

  it('publishes nothing when one is not valid, and says which', async () => {
    const { publisher, sent } = publisherWith();
    const items = [{ payload: { customer: 'a' } }, { payload: { customer: 7 as unknown as string } }, { payload: { customer: 'c' } }];
    expect(await thrownBy(() => publisher.publishMany(Order, items))).toMatchObject({
      code: 'INVALID_PAYLOAD',
      message: expect.stringContaining('publishMany(Order), item 1: '),
    });
    expect(sent).toEqual([]);
  });

  it.each([
    [null, 'INVALID_INPUT'],
    ['ab', 'INVALID_INPUT'],
    [{ payload: { customer: 'c' } }, 'INVALID_INPUT'],
    [[null], 'INVALID_INPUT'],
    [new Array(2), 'INVALID_INPUT'],
    [['a'], 'INVALID_INPUT'],
    [[{}], 'UNSERIALIZABLE_PAYLOAD'],
    [[{ payload: { customer: 'c' }, idempotencyKey: '' }], 'INVALID_OPTIONS'],
    [[{ payload: { customer: 'c' }, headers: { a: '\n' } }], 'INVALID_HEADERS'],
    [[{ customer: 'c' }], 'INVALID_OPTIONS'],
  ])('refuses %p', async (items, code) => {
    const { publisher, sent } = publisherWith();
    expect(await thrownBy(() => publisher.publishMany(Order, items as never))).toMatchObject({ code });
    expect(sent).toEqual([]);
  });

  it('tells which of them failed, and that the others are there', async () => {
    const failing = new Recorder((message) => {
      if (message.key === 'b') throw new MillraceError('BACK_PRESSURE', 'full', { retryable: true });
      if (message.key === 'd') throw new IndefinitePublishError('no answer');
      return stored(message);
    });
    const { publisher } = publisherWith(failing);
    const items = ['a', 'b', 'c', 'd'].map((customer) => ({ payload: { customer } }));
    const error = await thrownBy(() => publisher.publishMany(Order, items));
    expect(error).toBeInstanceOf(PublishManyError);
    expect(error).toMatchObject({ code: 'PUBLISH_REFUSED', retryable: true, problems: ['item 1: full', 'item 3: no answer'] });
    expect(error.message).toMatch(/^2 of 4 messages were not published to 'orders'/);
    expect((error as PublishManyError).results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected']);
    expect(failing.messages).toHaveLength(4);
  });

  it('is not worth repeating when one failure is not', async () => {
    const failing = new Recorder((message) => {
      throw new MillraceError('PUBLISH_REFUSED', 'no', { retryable: message.key === 'a' });
    });
    const items = ['a', 'b'].map((customer) => ({ payload: { customer } }));
    expect(await thrownBy(() => publisherWith(failing).publisher.publishMany(Order, items))).toMatchObject({ retryable: false });
  });

  it('leaves no rejection behind when the port throws at once, or throws what is no error', async () => {
    const port: PublishPort = {
      publish: (_, { key }) => {
        // eslint-disable-next-line @typescript-eslint/only-throw-error -- ports are other people's code
        if (key === 'a') throw 'text';
        return Promise.reject(new Error('later'));
      },
    };
    const items = ['a', 'b'].map((customer) => ({ payload: { customer } }));
    expect((await thrownBy(() => publisherWith(port).publisher.publishMany(Order, items))).problems).toEqual(['item 0: text', 'item 1: later']);
  });
});
