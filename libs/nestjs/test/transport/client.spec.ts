import { createServer } from 'node:net';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller, Inject, Injectable, Logger } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { type ClientProxy, ClientsModule, Ctx, Payload } from '@nestjs/microservices';
import { MillraceClient, type MillraceContext, MillraceRecordBuilder, type MillraceUnwrapped, type PublishResult, Topic } from '@millrace/nestjs';
import { listenOnFreePort } from '@millrace/redis';
import { startTestRedis, waitFor } from '@millrace/testing';
import { IsString } from 'class-validator';
import { lastValueFrom } from 'rxjs';
import { Journal } from '../fixture.js';
import { EventPattern, moduleOf, TransportBench } from './fixture.js';

let bench: TransportBench;
let journal: Journal<unknown>;
beforeAll(async () => void (bench = await TransportBench.start()));
beforeEach(() => {
  bench.begin();
  journal = new Journal();
});
afterEach(() => bench.closeAll());
afterAll(() => bench.stop());

@Topic('client.order.placed')
class OrderPlaced {
  @IsString() orderId!: string;
}

@Controller()
class Orders {
  @EventPattern('order.placed')
  placed(@Payload() data: unknown, @Ctx() context: MillraceContext) {
    journal.add([data, context.getHeaders(), context.getMetadata() ?? null, context.key]);
  }

  @EventPattern(OrderPlaced)
  withClass(@Payload() order: OrderPlaced) {
    journal.add(order);
  }
}

describe('an event that is emitted', () => {
  it('is stored when emit has ended, with nobody listening yet', async () => {
    const client = bench.client({ service: undefined });
    const stored = await lastValueFrom(client.emit<PublishResult>('order.placed', { id: 1, at: new Date(0) }));
    expect(stored).toMatchObject({ partition: 0, offset: 0, duplicate: false });
    await bench.listening([Orders]);
    expect(await journal.has(1)).toEqual([[{ id: 1, at: '1970-01-01T00:00:00.000Z' }, {}, null, null]]);
  });

  it('is emitted also when nobody subscribes to what emit returns', async () => {
    await bench.listening([Orders]);
    bench.client().emit('order.placed', 'hot');
    expect(await journal.has(1)).toEqual([['hot', {}, null, null]]);
  });

  it('is logged when it is not stored and nobody subscribes to what emit returns, and told to whoever does', async () => {
    const said: string[] = [];
    Logger.overrideLogger({ error: (line: string) => void said.push(line), log: () => undefined, warn: () => undefined });
    const client = bench.client();
    client.emit('order:placed', { id: 1 });
    client.emit('order.placed', { id: 1n });
    await expect(lastValueFrom(client.emit('order:heard', {}))).rejects.toMatchObject({ code: 'INVALID_NAME' });
    await waitFor(() => said.length >= 2, { what: 'two lines' });
    Logger.overrideLogger(false);
    const lost = /^An event of the pattern "order.placed" was not stored, and nobody subscribed to its emit\(\): The data cannot be written as JSON/;
    const misnamed = /^An event of the pattern "order:placed" was not stored, and nobody subscribed to its emit\(\): "order:placed" is not allowed/;
    expect(said.toSorted()).toEqual([expect.stringMatching(lost), expect.stringMatching(misnamed)]);
  });

  it('carries headers, key and metadata, and is stored once under its idempotency key', async () => {
    await bench.listening([Orders]);
    const client = bench.client();
    client.setOnDispatchHook((packet) => void (packet.metadata = { tenant: 'ünder' }));
    const record = new MillraceRecordBuilder({ id: 1 }).setHeaders({ a: 'b' }).setKey('k').setIdempotencyKey('once').build();
    const first = await lastValueFrom(client.emit<PublishResult>('order.placed', record));
    const second = await lastValueFrom(client.emit<PublishResult>('order.placed', record));
    expect(second).toMatchObject({ id: first.id, duplicate: true });
    expect(await journal.has(1)).toEqual([[{ id: 1 }, { a: 'b' }, { tenant: 'ünder' }, 'k']]);
  });

  it('is what JSON makes of it', async () => {
    await bench.listening([Orders]);
    const client = bench.client();
    const events = [
      { text: 'a', number: -1.5, yes: true, none: null },
      { nested: { at: new Date(0), gone: undefined } },
      { not: Number.NaN, ['__proto__']: 'own' },
      { toJSON: () => 'its own' },
      [1, undefined],
      'text',
    ];
    for (const event of events) await lastValueFrom(client.emit('order.placed', event));
    const handled = (await journal.has(events.length)).map((entry) => (entry as unknown[])[0]);
    expect(handled).toEqual(events.map((event) => JSON.parse(JSON.stringify(event)) as unknown));
  });

  it('is stored as it was when it was emitted', async () => {
    await bench.listening([Orders]);
    const client = bench.client();
    await client.connect();
    const event = { id: 1 };
    const stored = lastValueFrom(client.emit('order.placed', event));
    event.id = 2;
    await stored;
    expect(await journal.has(1)).toEqual([[{ id: 1 }, {}, null, null]]);
  });

  it('fails with the error of a dispatch hook', async () => {
    const client = bench.client();
    await client.connect();
    client.setOnDispatchHook(() => {
      throw new Error('no tenant');
    });
    await expect(lastValueFrom(client.emit('order.placed', 1))).rejects.toThrow('no tenant');
    await expect(lastValueFrom(client.send('order.placed', 1))).rejects.toThrow('no tenant');
  });

  it('may be bytes', async () => {
    await bench.listening([Orders]);
    await lastValueFrom(bench.client().emit('order.placed', new Uint8Array([1, 0xff])));
    expect(await journal.has(1)).toEqual([[Buffer.from([1, 0xff]), {}, null, null]]);
  });

  it('is validated by the class that is its pattern', async () => {
    await bench.listening([Orders]);
    const client = bench.client();
    await expect(lastValueFrom(client.emit(OrderPlaced, { orderId: 7 }))).rejects.toMatchObject({ code: 'INVALID_PAYLOAD' });
    await lastValueFrom(client.emit(OrderPlaced, { orderId: 'o-1' }));
    expect((await journal.has(1))[0]).toBeInstanceOf(OrderPlaced);
  });

  it('takes the partitions of a topic that a class made after the client had looked for it', async () => {
    @Topic('client.order.late', { partitions: 4 })
    class Late {}
    @Controller()
    class LateOrders {
      @EventPattern(Late)
      placed() {
        journal.add('late');
      }
    }
    const client = bench.client();
    const { topics } = await client.connect();
    expect((await topics.plain('client.order.late')).partitions).toBe(1);
    await bench.listening([LateOrders]);
    await lastValueFrom(client.emit('client.order.late', {}));
    expect(await journal.has(1)).toEqual(['late']);
  });

  it('is refused when no topic can be named after its pattern', async () => {
    await expect(lastValueFrom(bench.client().emit('order placed', {}))).rejects.toMatchObject({ code: 'INVALID_NAME' });
  });
});

describe('data that is no JSON', () => {
  it.each<[string, unknown, string]>([
    ['a BigInt', { cents: 1n }, 'BigInt'],
    ['a value that cannot be read', { toJSON: () => { throw new Error('torn'); } }, 'torn'],
  ])('is refused in plain words in an event and in a request: %s', async (_, data, reason) => {
    const refused = { code: 'UNSERIALIZABLE_PAYLOAD', message: expect.stringContaining(reason) };
    await expect(lastValueFrom(bench.client().emit('order.placed', data))).rejects.toMatchObject(refused);
    await expect(lastValueFrom(bench.client().send('price', data))).rejects.toMatchObject(refused);
  });

  it('is refused in an event that JSON would leave without data', async () => {
    const refused = { code: 'UNSERIALIZABLE_PAYLOAD', message: expect.stringContaining('JSON has no function') };
    await expect(lastValueFrom(bench.client().emit('order.placed', () => 1))).rejects.toMatchObject(refused);
  });
});

describe('a client', () => {
  it('is made by ClientsModule, and closed with the application', async () => {
    await bench.listening([Orders]);
    @Injectable()
    class Shop {
      constructor(@Inject('SHOP') readonly client: ClientProxy) {}
    }
    const options = { service: 'shop', ...bench.place };
    const imports = [ClientsModule.register([{ name: 'SHOP', customClass: MillraceClient, options }])];
    const app = await NestFactory.createApplicationContext(moduleOf({ imports, providers: [Shop] }), { logger: false });
    const { client } = app.get(Shop);
    await lastValueFrom(client.emit('order.placed', 1));
    expect(client.unwrap<MillraceUnwrapped>().inspector).toBeDefined();
    await journal.has(1);
    await app.close();
    expect(() => client.unwrap()).toThrow('not connected');
  });

  it('tells of its connection, and connects anew after a failure', async () => {
    const client = bench.client();
    const told: string[] = [];
    client.on('connected', () => told.push('connected'));
    client.status.subscribe((status) => told.push(`status ${status}`));
    await Promise.all([client.connect(), client.connect()]);
    await client.close();
    await client.close();
    expect(told).toEqual(['status connected', 'connected', 'status disconnected']);
    await lastValueFrom(client.emit('order.placed', 1));
  });

  it('hears nothing of another client, whose Redis has the same prefix and goes away', async () => {
    const redis = await startTestRedis();
    const told: string[] = [];
    const follow = async (name: string, client: MillraceClient): Promise<void> => {
      client.status.subscribe((status) => told.push(`${name} ${status}`));
      client.on('error', () => told.push(`${name} error`));
      await client.connect();
    };
    await follow('this', bench.client());
    await follow('other', bench.client({ redis: redis.url }));
    await redis.stop();
    await waitFor(() => told.includes('other error'), { what: 'the other client to tell of an error' });
    expect(told.filter((each) => each !== 'other error')).toEqual(['this connected', 'other connected', 'other disconnected']);
  });

  it('fails with the code of the connection while no Redis answers, as filters for clients of Nest expect it', async () => {
    const away = bench.client({ redis: 'redis://127.0.0.1:1' });
    const refused = { name: 'TransportUnreachableError', code: 'ECONNREFUSED', cause: { code: 'REDIS_UNREACHABLE' } };
    await expect(lastValueFrom(away.send({ cmd: 'none' }, [1]))).rejects.toMatchObject(refused);
    await expect(lastValueFrom(away.emit('order.placed', 1))).rejects.toMatchObject(refused);
  });

  it('has a code for a connection that nobody refuses', async () => {
    const silent = createServer(() => undefined);
    const redis = `redis://127.0.0.1:${await listenOnFreePort(silent)}`;
    await expect(lastValueFrom(bench.client({ redis }).send('none', 1))).rejects.toMatchObject({ code: 'CONN_ERR' });
    silent.close();
  });
});
