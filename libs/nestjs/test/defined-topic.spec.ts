import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable, type Type } from '@nestjs/common';
import { Payload } from '@nestjs/microservices';
import { IsString } from 'class-validator';
import {
  type AssignedPartition, type BatchContext, Contracts, DeadLetters, type DeadLetterContext, defineTopic, type DefinedTopic,
  type DeliveryContext, Groups, Inspector, LocalSubscriptions, MillraceModule, OnAssigned, OnDeadLetter, OnRevoked, Publisher,
  type RevokedPartition, Subscribe, SubscribeBatch, SubscribeBroadcast, Topic, type TopicRef, Topics,
} from '@millrace/nestjs';
import { atOnce, Bench, failureOf, Journal, OrderPlaced } from './fixture.js';
import { Kept } from './kept.js';

let bench: Bench;
beforeAll(async () => void (bench = await Bench.start()));
afterEach(() => bench.closeApps());
afterAll(() => bench.stop());

interface AuditEntry {
  readonly actor: string;
  readonly what: string;
}

const Audit = defineTopic<AuditEntry>('audit.entries', { partitions: 2, key: (entry) => entry.actor });
const Mirror = defineTopic('shop.orders.mirrored', { payload: OrderPlaced, partitions: 2 });
const Copy = defineTopic('shop.orders.copied', { payload: OrderPlaced });
const Anything = defineTopic('anything');

@Injectable()
class Auditor extends Journal<unknown> {
  @OnAssigned(Audit, { group: 'auditor' })
  assigned({ topic }: AssignedPartition): void {
    this.add(`assigned ${topic}`);
  }

  @Subscribe(Audit, { group: 'auditor', ordering: 'key' })
  handle(entry: AuditEntry, { key }: DeliveryContext): void {
    this.add([key, entry]);
  }

  @OnRevoked(Audit, { group: 'auditor' })
  revoked({ topic }: RevokedPartition): void {
    this.add(`revoked ${topic}`);
  }
}

/** A provider with a subscription to a topic for a group. */
function subscriber(topic: TopicRef, group: string): Type {
  class Handler {
    @Subscribe(topic as DefinedTopic, { group })
    handle(): void {
      throw new Error('not to be called');
    }
  }
  return Handler;
}

describe('a topic without a class', () => {
  it('carries entries to their group in the order of its keys, and is assigned and revoked', async () => {
    const app = await bench.app({ imports: [MillraceModule.forFeature([Audit])], providers: [Auditor] });
    const publisher = app.get(Publisher);
    const journal = app.get(Auditor);
    await journal.has(2);
    await publisher.publish(Audit, { actor: 'x', what: 'y' });
    await publisher.publishMany(Audit, [{ payload: { actor: 'x', what: 'z' } }]);
    await journal.has(4);
    await bench.closeApps();
    const own = ['x', 'x'].map((actor, index) => [actor, { actor, what: index === 0 ? 'y' : 'z' }]);
    const twice = (text: string): string[] => [text, text];
    expect(journal.entries).toEqual([...twice('assigned audit.entries'), ...own, ...twice('revoked audit.entries')]);
  });

  it('carries any JSON value to handlers of messages, batches and broadcasts', async () => {
    const values = [null, true, 0, 'text', '', [], [1, [null]], { a: { b: false } }, JSON.parse('{"__proto__":{"a":1}}') as unknown];
    const [one, batched, broadcast] = [new Journal<unknown>(), new Journal<unknown>(), new Journal<unknown>()];
    @Injectable()
    class Handlers {
      @Subscribe(Anything, { group: 'one', ordering: 'partition' })
      one(value: unknown): void {
        one.add(value);
      }

      @SubscribeBatch(Anything, { group: 'batched', batch: { size: values.length, wait: '1m' } })
      batched(all: unknown[], { items }: BatchContext): void {
        for (const index of items.keys()) batched.add(all[index]);
      }

      @SubscribeBroadcast(Anything)
      broadcast(value: unknown): void {
        broadcast.add(value);
      }
    }
    const app = await bench.app({ providers: [Handlers] });
    await app.get(Publisher).publishMany(Anything, values.map((payload) => ({ payload })));
    for (const journal of [one, batched, broadcast]) expect(await journal.has(values.length)).toStrictEqual(values);
  });

  it('gives a part of its payload to a parameter that asks for one, and none of a payload without parts', async () => {
    const journal = new Journal<unknown>();
    @Injectable()
    class Handler {
      @Subscribe(Anything, { group: 'parts', ordering: 'partition' })
      handle(@Payload('a') part: unknown): void {
        journal.add(part);
      }
    }
    const app = await bench.app({ providers: [Handler] });
    await app.get(Publisher).publishMany(Anything, [{ a: 1 }, null, 'text', 7].map((payload) => ({ payload })));
    expect(await journal.has(4)).toEqual([1, undefined, undefined, undefined]);
  });

  it('tries again, gives up, tells of a dead letter, and is watched and mended by operators', async () => {
    const [attempts, told] = [new Journal<unknown>(), new Journal<unknown>()];
    @Injectable()
    class Handler {
      @Subscribe(Anything, { group: 'ill', retry: atOnce })
      handle(list: unknown, { attempt }: DeliveryContext): void {
        attempts.add([list, attempt]);
        (list as number[]).push(attempt);
        if (attempt < 4) throw new Error('ill');
      }

      @OnDeadLetter(Anything, { group: 'ill' })
      gaveUp(list: unknown, { reason, payloadIsValid }: DeadLetterContext): void {
        told.add([list, reason, payloadIsValid]);
      }
    }
    const app = await bench.app({ providers: [Handler] });
    await app.get(Publisher).publish(Anything, [0]);
    expect(await told.has(1)).toEqual([[[0], 'ATTEMPTS_EXHAUSTED', true]]);
    expect(attempts.entries).toHaveLength(3);
    const [letters, groups, inspector] = [app.get(DeadLetters), app.get(Groups), app.get(Inspector)];
    expect(await letters.list(Anything, 'ill')).toMatchObject([{ payload: [0] }]);
    expect(await inspector.group(Anything, 'ill')).toMatchObject({ deadLettered: 1 });
    await groups.pause(Anything, 'ill');
    await groups.resume(Anything, 'ill');
    const local = app.get(LocalSubscriptions);
    await local.pause(Anything, 'ill');
    local.resume(Anything, 'ill');
    expect(await letters.discard(Anything, 'ill', { all: true })).toMatchObject({ discarded: 1 });
    expect(await app.get(Topics).remove(Anything, { preview: true })).toMatchObject({ groups: [{ group: 'ill' }] });
  });

  it('is not warned about, though nobody checks its payloads', async () => {
    const kept = new Kept();
    await bench.start(bench.builder({ imports: [MillraceModule.forFeature([Audit])] }), kept);
    expect(kept.entries.filter((line) => line.includes('audit.entries'))).toEqual([expect.stringMatching(/^log /)]);
  });
});

describe('a topic with a class and a name of its own', () => {
  it('delivers instances of its class, beside other topics of the class', async () => {
    const journal = new Journal<unknown>();
    @Injectable()
    class Handlers {
      @Subscribe(OrderPlaced, { group: 'g' })
      placed(order: OrderPlaced): void {
        journal.add(['placed', order]);
      }

      @Subscribe(Mirror, { group: 'g' })
      mirrored(order: OrderPlaced): void {
        journal.add(['mirrored', order]);
      }

      @Subscribe(Copy, { group: 'g' })
      copied(order: OrderPlaced): void {
        journal.add(['copied', order]);
      }
    }
    const app = await bench.app({ imports: [MillraceModule.forFeature([OrderPlaced, Mirror, Copy])], providers: [Handlers] });
    const publisher = app.get(Publisher);
    for (const topic of [OrderPlaced, Mirror, Copy]) await publisher.publish(topic, { orderId: topic.name, amount: 1 });
    const entries = (await journal.has(3)) as [string, OrderPlaced][];
    const order = (orderId: string): OrderPlaced => Object.assign(new OrderPlaced(), { orderId, amount: 1 });
    const expected = [['copied', order(Copy.name)], ['mirrored', order(Mirror.name)], ['placed', order(OrderPlaced.name)]];
    expect(entries.sort(([one], [other]) => one.localeCompare(other))).toStrictEqual(expected);
    expect((await failureOf(publisher.publish(Mirror, { orderId: 7, amount: 1 } as never))).code).toBe('INVALID_PAYLOAD');
  });
});

describe('the contracts of an application', () => {
  it('have each topic as it is published, by its name', async () => {
    const imports = [MillraceModule.forFeature([Audit, Mirror, OrderPlaced])];
    const contracts = (await bench.app({ imports })).get(Contracts);
    expect([Audit, Mirror].map(({ name }) => contracts.topic(name))).toEqual([Audit, Mirror]);
    expect(contracts.topic('shop.orders.placed')).toBe(OrderPlaced);
    expect(() => contracts.topic('audit.entrys')).toThrow(expect.objectContaining({ code: 'UNKNOWN_TOPIC' }));
    expect(() => contracts.topic(Audit.name, 'a')).toThrow(expect.objectContaining({ code: 'UNKNOWN_MESSAGE_TYPE' }));
  });

  it.each<[string, () => [TopicRef, TopicRef], string]>([
    ['options', () => [Audit, defineTopic('audit.entries', { partitions: 3, ttl: '1h' })], 'with different partitions, key and ttl.'],
    ['retention', () => [defineTopic('a', { retention: { maxAge: '1d' } }), defineTopic('a', { retention: { maxAge: '2d' } })], 'with different retention.'],
    ['payloads, of which one has no class', () => [Mirror, defineTopic('shop.orders.mirrored', { partitions: 2 })], 'with different payload.'],
    ['options, one of them by @Topic', () => [OrderPlaced, defineTopic('shop.orders.placed', { payload: OrderPlaced, partitions: 2 })], 'with different partitions.'],
  ])('are refused with two definitions of one name that differ in %s', async (_, topics, text) => {
    const [one, other] = topics();
    for (const work of [
      bench.app({ imports: [MillraceModule.forFeature([one, other])] }),
      bench.app({ imports: [MillraceModule.forFeature([one])], providers: [subscriber(other, 'g')] }),
    ]) {
      const error = await failureOf(work);
      expect(error).toMatchObject({ code: 'CONTRACT_CONFLICT', message: expect.stringMatching(/^Topic '.*' is defined several times/) });
      expect(error.message).toContain(text);
    }
  });

  it('are refused with two classes of one name, in words of their own', async () => {
    class Other {
      @IsString() text!: string;
    }
    const other = defineTopic(Mirror.name, { payload: Other });
    const error = await failureOf(bench.app({ imports: [MillraceModule.forFeature([Mirror, other])] }));
    expect(error.message).toMatch(/^OrderPlaced and Other are different classes with the same/);
  });

  it('are refused when only a handler of dead letters has the other definition', async () => {
    class Handler {
      @Subscribe(Anything, { group: 'g' })
      handle(): void {
        throw new Error('not to be called');
      }

      @OnDeadLetter(defineTopic('anything', { partitions: 2 }), { group: 'g' })
      gaveUp(): void {
        throw new Error('not to be called');
      }
    }
    expect((await failureOf(bench.app({ providers: [Handler] }))).code).toBe('CONTRACT_CONFLICT');
  });

  it('may have two equal definitions of one name, of which a handler of dead letters has the other', async () => {
    const told = new Journal();
    class Handler {
      @Subscribe(defineTopic('equal'), { group: 'g', retry: { attempts: 1 } })
      handle(): void {
        throw new Error('ill');
      }

      @OnDeadLetter(defineTopic('equal'), { group: 'g' })
      gaveUp(): void {
        told.add('told');
      }
    }
    const app = await bench.app({ providers: [Handler] });
    await app.get(Publisher).publish(defineTopic('equal'), 1);
    expect(await told.has(1)).toEqual(['told']);
  });

  it('are refused where something else stands in the place of a topic', async () => {
    @Topic('here')
    class Here {}
    const forged = { name: 'forged', partitions: 1 } as never;
    const feature = await failureOf(bench.app({ imports: [MillraceModule.forFeature([Here, forged])] }));
    expect(feature).toMatchObject({ code: 'NOT_A_TOPIC', message: expect.stringContaining("or give what defineTopic('its.name') returns") });
    expect((await failureOf(bench.app({ providers: [subscriber(forged, 'g')] }))).code).toBe('NOT_A_TOPIC');
  });

  it('are stored with the partitions that a definition says', async () => {
    const app = await bench.app({ imports: [MillraceModule.forFeature([Mirror])] });
    expect(await app.get(Inspector).topics()).toMatchObject([{ name: 'shop.orders.mirrored', partitions: 2 }]);
  });
});
