import { describe, expect, it, jest } from '@jest/globals';
import {
  defineTopic, MillraceError, type Outgoing, type OutgoingMessage, type PreparedMessage, Publisher, type PublishOptions,
  type PublishPort, type PublishResult, replicated, Topic, type TopicDefinition, withTraceContext,
} from '@millrace/core';
import { IsString, registerDecorator } from 'class-validator';
import { thrownBy } from './thrown.js';

@Topic<Order>('orders', { partitions: 4, key: ({ customer }) => customer })
class Order {
  @IsString() customer!: string;
}

@Topic('offers', { ttl: '1h' })
class Offer {}

@Topic('slow')
class Slow {
  @IsSlowly() name!: string;
}

const Texts = defineTopic<string>('texts');

function IsSlowly(): PropertyDecorator {
  return (target, propertyName) =>
    registerDecorator({
      name: 'isSlowly', target: target.constructor, propertyName: String(propertyName), async: true,
      validator: { validate: (value) => Promise.resolve(value !== 'bad') },
    });
}

type Answer = PublishResult | Error;

/** Answers the messages of a topic together, and remembers them. */
class ManyPort implements PublishPort {
  readonly calls: { readonly topic: string; readonly many: readonly Outgoing[] }[] = [];
  readonly publisher = new Publisher(this);
  readonly #answer: (topic: string, message: OutgoingMessage) => Answer;

  constructor(answer: (topic: string, message: OutgoingMessage) => Answer = (_, { id }) => stored(id)) {
    this.#answer = answer;
  }

  publish(): Promise<PublishResult> {
    return Promise.reject(new Error('not to be called'));
  }

  async publishMany({ name }: TopicDefinition, many: readonly Outgoing[]): Promise<readonly Answer[]> {
    this.calls.push({ topic: name, many });
    return Promise.resolve(many.map(({ message }) => this.#answer(name, message)));
  }

  get sent(): Outgoing[] {
    return this.calls.flatMap(({ many }) => many);
  }
}

function stored(id: string): PublishResult {
  return { id, partition: 0, offset: 0, duplicate: false };
}

/** Runs `work` while the clock of this process stands at `moment`. */
async function at<T>(moment: number, work: () => T): Promise<Awaited<T>> {
  const clock = jest.spyOn(Date, 'now').mockReturnValue(moment);
  try {
    return await work();
  } finally {
    clock.mockRestore();
  }
}

describe('a prepared message', () => {
  it('has its id, key and text from when it was prepared, whatever becomes of the payload and the options', async () => {
    const { publisher, calls } = new ManyPort();
    const [order, options] = [{ customer: 'a' }, { idempotencyKey: 'k', headers: { a: '1' } }];
    const prepared = await publisher.prepare(Order, order, options);
    expect(calls).toEqual([]);
    Object.assign(order, { customer: 'b' });
    Object.assign(options.headers, { a: '2' });
    expect(prepared).toMatchObject({ topic: 'orders', key: 'a', idempotencyKey: 'k' });
    expect(await publisher.publishPrepared([prepared])).toEqual([{ status: 'fulfilled', value: stored(prepared.id) }]);
    expect(calls[0]!.many).toMatchObject([{ message: { id: prepared.id, key: 'a', idempotencyKey: 'k', headers: { a: '1' }, payloadJson: '{"customer":"a"}' } }]);
  });

  it('is there at once where nothing has to be waited for, and a promise where the rules take their time', async () => {
    const { publisher } = new ManyPort();
    expect(publisher.prepare(Order, { customer: 'a' })).toMatchObject({ topic: 'orders' });
    const slow = publisher.prepare(Slow, { name: 'a' });
    expect(slow).toBeInstanceOf(Promise);
    expect(await slow).toMatchObject({ topic: 'slow' });
    await expect(publisher.prepare(Slow, { name: 'bad' })).rejects.toMatchObject({ code: 'INVALID_PAYLOAD' });
  });

  it('can be published again, with the same id and idempotency key', async () => {
    const port = new ManyPort();
    const prepared = await port.publisher.prepare(Texts, 'a', { idempotencyKey: 'k' });
    await port.publisher.publishPrepared([prepared, prepared]);
    await new Publisher(port).publishPrepared([prepared]);
    expect(port.sent.map(({ message: { id, idempotencyKey } }) => [id, idempotencyKey])).toEqual(new Array(3).fill([prepared.id, 'k']));
    expect(new Set(port.sent.map(({ message }) => message)).size).toBe(1);
  });

  it('cannot be changed', async () => {
    const prepared = await new ManyPort().publisher.prepare(Texts, 'a');
    expect(() => Object.assign(prepared, { id: 'x' })).toThrow(TypeError);
  });

  it('carries the trace in which it was prepared', async () => {
    const port = new ManyPort();
    const traceparent = '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01';
    const prepared = withTraceContext({ traceparent }, () => port.publisher.prepare(Texts, 'a') as PreparedMessage);
    await port.publisher.publishPrepared([prepared]);
    expect(port.sent).toMatchObject([{ message: { headers: { traceparent } } }]);
  });

  it.each<[string, (publisher: Publisher) => unknown, string]>([
    ['no topic', (publisher) => publisher.prepare(class Plain {}, {}), 'NOT_A_TOPIC'],
    ['a bad payload', (publisher) => publisher.prepare(Order, { customer: 7 } as never), 'INVALID_PAYLOAD'],
    ['no JSON', (publisher) => publisher.prepare(Texts, new Date() as never), 'UNSERIALIZABLE_PAYLOAD'],
    ['an unknown option', (publisher) => publisher.prepare(Texts, 'a', { idempotencykey: 'k' } as never), 'INVALID_OPTIONS'],
    ['options that are null', (publisher) => publisher.prepare(Texts, 'a', null as never), 'INVALID_OPTIONS'],
    ['a bad header', (publisher) => publisher.prepare(Texts, 'a', { headers: { a: '\n' } }), 'INVALID_HEADERS'],
  ])('is not made of %s', async (_, prepare, code) => {
    const error = await thrownBy(() => prepare(new ManyPort().publisher));
    expect(error).toMatchObject({ code, message: expect.stringMatching(code === 'NOT_A_TOPIC' ? /./ : /^prepare\((Order|texts)\)/) });
  });
});

describe('the times of a prepared message', () => {
  const DAY = 86_400_000;
  const PREPARED = Date.UTC(2030, 0, 1);

  async function publishedAt<T extends object>(topic: new () => T, options: PublishOptions, laterMs: number): Promise<Outgoing> {
    const port = new ManyPort();
    const prepared = await at(PREPARED, () => port.publisher.prepare<object>(topic, { customer: 'a' }, options));
    await at(PREPARED + laterMs, () => port.publisher.publishPrepared([prepared]));
    return port.sent[0]!;
  }

  it.each<[string, new () => object, PublishOptions, object]>([
    ['a ttl begins with the publish', Order, { ttl: '1h' }, { expiresAt: PREPARED + DAY + 3_600_000 }],
    ['so does that of the topic', Offer, {}, { expiresAt: PREPARED + DAY + 3_600_000 }],
    ['a delay begins with the publish', Order, { delay: '1m' }, { due: { inMs: 60_000 } }],
    ['a ttl begins when the delay is over', Order, { delay: '1m', ttl: '1s' }, { due: { inMs: 60_000 }, expiresAt: PREPARED + DAY + 61_000 }],
    ['a moment that is still ahead is waited for', Order, { deliverAt: new Date(PREPARED + 2 * DAY) }, { due: { atMs: PREPARED + 2 * DAY } }],
    [
      'a ttl begins at that moment', Order, { deliverAt: new Date(PREPARED + 2 * DAY), ttl: '1s' },
      { due: { atMs: PREPARED + 2 * DAY }, expiresAt: PREPARED + 2 * DAY + 1_000 },
    ],
    ['a moment that has passed means at once', Order, { deliverAt: new Date(PREPARED + 1_000) }, {}],
    ['a ttl begins with the publish then', Order, { deliverAt: new Date(PREPARED + 1_000), ttl: '1s' }, { expiresAt: PREPARED + DAY + 1_000 }],
    ['other options are kept', Order, { deadline: '5s', durability: replicated(1) }, { deadlineMs: 5_000, durability: replicated(1) }],
  ])('are those of a publish at the moment: %s', async (_, topic, options, { expiresAt = null, ...sendOptions }: { expiresAt?: number | null }) => {
    const { message, sendOptions: sent = {} } = await publishedAt(topic, options, DAY);
    expect(message.expiresAt).toBe(expiresAt);
    expect(JSON.parse(JSON.stringify(sent))).toEqual(JSON.parse(JSON.stringify(sendOptions)));
  });

  it('are those of each publish, when there are several', async () => {
    const port = new ManyPort();
    const prepared = await at(PREPARED, () => port.publisher.prepare(Texts, 'a', { ttl: '1s' }));
    for (const later of [DAY, 2 * DAY]) await at(PREPARED + later, () => port.publisher.publishPrepared([prepared]));
    expect(port.sent.map(({ message }) => message.expiresAt)).toEqual([DAY, 2 * DAY].map((later) => PREPARED + later + 1_000));
  });
});

describe('publishPrepared', () => {
  it('publishes messages of several topics together, in the order of each topic, and answers in the order of the list', async () => {
    const port = new ManyPort();
    const names = ['orders 1', 'texts 1', 'orders 2', 'orders 3', 'texts 2'];
    const messages = await Promise.all(
      names.map(async (name) => (name.startsWith('o') ? port.publisher.prepare(Order, { customer: name }) : port.publisher.prepare(Texts, name))),
    );
    const outcomes = await port.publisher.publishPrepared(messages);
    expect(outcomes).toEqual(messages.map(({ id }) => ({ status: 'fulfilled', value: stored(id) })));
    const texts = port.calls.map(({ topic, many }) => [topic, ...many.map(({ message: { payloadJson } }) => payloadJson)]);
    expect(texts).toEqual([
      ['orders', '{"customer":"orders 1"}', '{"customer":"orders 2"}', '{"customer":"orders 3"}'], ['texts', '"texts 1"', '"texts 2"'],
    ]);
  });

  it('does nothing for an empty list', async () => {
    expect(await new ManyPort().publisher.publishPrepared([])).toEqual([]);
  });

  it('refuses a message that is none, alone', async () => {
    const port = new ManyPort();
    const prepared = await port.publisher.prepare(Texts, 'a');
    const forged: unknown[] = [{ ...prepared }, JSON.parse(JSON.stringify(prepared)), Object.create(prepared), new Proxy(prepared, {}), null, undefined, 'a', Promise.resolve(prepared)];
    const outcomes = await port.publisher.publishPrepared([...forged, prepared, ...new Array<never>(1)] as never);
    expect(outcomes).toEqual([...forged, prepared, undefined].map((item, place) =>
      item === prepared
        ? { status: 'fulfilled', value: stored(prepared.id) }
        : { status: 'rejected', reason: expect.objectContaining({ code: 'INVALID_INPUT', message: expect.stringContaining(`item ${place} is no prepared message`) }) },
    ));
    expect(port.sent).toHaveLength(1);
  });

  it.each([null, undefined, 'a', {}, new Set()])('refuses %p in the place of a list', async (messages) => {
    expect(await thrownBy(() => new ManyPort().publisher.publishPrepared(messages as never))).toMatchObject({ code: 'INVALID_INPUT' });
  });

  it('says which messages failed, and with what error', async () => {
    const full = new MillraceError('BACK_PRESSURE', 'full', { retryable: true });
    const { publisher } = new ManyPort((topic, { id }) => (topic === 'texts' ? full : stored(id)));
    const messages = [await publisher.prepare(Texts, 'a'), await publisher.prepare(Order, { customer: 'a' })];
    expect(await publisher.publishPrepared(messages)).toEqual([
      { status: 'rejected', reason: full }, { status: 'fulfilled', value: stored(messages[1]!.id) },
    ]);
  });

  it('fails the messages of one topic alone when its port throws or rejects', async () => {
    const port: PublishPort = {
      publish: () => Promise.reject(new Error('not to be called')),
      publishMany: ({ name }, many) => {
        if (name === 'texts') throw new Error('at once');
        return name === 'offers' ? Promise.reject(new Error('later')) : Promise.resolve(many.map(({ message: { id } }) => stored(id)));
      },
    };
    const publisher = new Publisher(port);
    const messages = [await publisher.prepare(Texts, 'a'), await publisher.prepare(Offer, {}), await publisher.prepare(Order, { customer: 'a' })];
    const outcomes = await publisher.publishPrepared(messages);
    expect(outcomes.map((outcome) => (outcome.status === 'rejected' ? (outcome.reason as Error).message : outcome.status))).toEqual(['at once', 'later', 'fulfilled']);
  });

  it('works with a port that publishes each message by itself', async () => {
    const sent: string[] = [];
    const publisher = new Publisher({ publish: (_, { id }) => (sent.push(id), Promise.resolve(stored(id))) });
    const messages = [await publisher.prepare(Texts, 'a'), await publisher.prepare(Texts, 'b')];
    expect(await publisher.publishPrepared(messages)).toMatchObject([{ status: 'fulfilled' }, { status: 'fulfilled' }]);
    expect(sent).toEqual(messages.map(({ id }) => id));
  });
});
