import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Injectable, type LoggerService, Module } from '@nestjs/common';
import { freePort, startTestRedis } from '@millrace/testing';
import { JobQueue, MillraceModule, Publisher, Subscribe, Topic } from '@millrace/nestjs';
import { Bench, failureOf, Journal, OrderCancelled, OrderPlaced, SendConfirmation } from './fixture.js';

let bench: Bench;
beforeAll(async () => void (bench = await Bench.start()));
afterEach(() => bench.closeApps());
afterAll(() => bench.stop());

const order: OrderPlaced = { orderId: 'a', amount: 1 };

describe('an application', () => {
  it('begins to handle after every service has started, and services may publish from their first hook on', async () => {
    const journal = new Journal();
    @Injectable()
    class Service {
      constructor(private readonly publisher: Publisher) {}

      async onModuleInit(): Promise<void> {
        await this.publisher.publish(OrderPlaced, order);
        journal.add('init');
      }

      async onApplicationBootstrap(): Promise<void> {
        await new Promise((resolve) => setImmediate(resolve));
        journal.add('bootstrap');
      }
    }
    @Injectable()
    class Handlers {
      @Subscribe(OrderPlaced, { group: 'inventory' })
      handle(): void {
        journal.add('handled');
      }
    }
    @Module({ providers: [Service] })
    class Deep {}
    await bench.app({ imports: [Deep], providers: [Handlers] });
    expect(await journal.has(3)).toEqual(['init', 'bootstrap', 'handled']);
  });

  it.each([['allkeys-lru', 1], ['noeviction', 0]])('says at boot whether Redis may remove messages when it is full: %s', async (policy, lines) => {
    const redis = await startTestRedis({ extra: ['--maxmemory-policy', policy] });
    const warnings: string[] = [];
    const warn = (line: string): void => void warnings.push(line);
    const logger: LoggerService = { log: () => undefined, error: () => undefined, warn };
    const compiled = await bench.builder({}, { redis: redis.url }).compile();
    compiled.useLogger(logger);
    try {
      await compiled.init();
    } finally {
      await compiled.close();
      await redis.stop();
    }
    expect(warnings.filter((line) => line.includes(`maxmemory-policy ${policy}: when its memory is full`))).toHaveLength(lines);
  });

  it('lets handlers finish before any service closes, and services publish until the last hook', async () => {
    const journal = new Journal();
    const finish = new Journal();
    const prefix = bench.prefix();
    @Injectable()
    class Service {
      constructor(private readonly publisher: Publisher, private readonly jobs: JobQueue) {}

      async onModuleDestroy(): Promise<void> {
        journal.add('destroy');
        await this.publisher.publish(OrderCancelled, { orderId: 'destroy' });
        await this.jobs.enqueue(SendConfirmation, { orderId: 'destroy' });
      }

      async onApplicationShutdown(): Promise<void> {
        await this.publisher.publish(OrderCancelled, { orderId: 'shutdown' });
        journal.add('shutdown');
      }
    }
    @Injectable()
    class Handlers {
      constructor(private readonly publisher: Publisher) {}

      @Subscribe(OrderPlaced, { group: 'inventory' })
      async handle(): Promise<void> {
        journal.add('begun');
        await finish.has(1);
        await this.publisher.publish(OrderCancelled, { orderId: 'handler' });
        journal.add('finished');
      }
    }
    const imports = [MillraceModule.forFeature([OrderCancelled, SendConfirmation])];
    const app = await bench.app({ imports, providers: [Service, Handlers] }, { prefix });
    await app.get(Publisher).publish(OrderPlaced, order);
    await journal.has(1);
    const closed = app.close();
    finish.add('now');
    await closed;
    expect(journal.entries).toEqual(['begun', 'finished', 'destroy', 'shutdown']);
    expect((await failureOf(app.get(Publisher).publish(OrderPlaced, order))).code).toBe('CLOSED');
    await bench.deserted();
    const seen = new Journal();
    @Injectable()
    class Later {
      @Subscribe(OrderCancelled, { group: 'later' })
      handle({ orderId }: OrderCancelled): void {
        seen.add(orderId);
      }
    }
    await bench.app({ providers: [Later] }, { prefix });
    expect((await seen.has(3)).sort()).toEqual(['destroy', 'handler', 'shutdown']);
  });

  it('gives back to the group what does not finish in time', async () => {
    const journal = new Journal();
    const prefix = bench.prefix();
    @Injectable()
    class Handlers {
      @Subscribe(OrderPlaced, { group: 'inventory' })
      async handle(): Promise<void> {
        journal.add('begun');
        if (journal.entries.length === 1) await new Promise(() => undefined);
      }
    }
    const app = await bench.app({ providers: [Handlers] }, { prefix, shutdownTimeout: '0ms', lease: '500ms' });
    await app.get(Publisher).publish(OrderPlaced, order);
    await journal.has(1);
    await app.close();
    await bench.app({ providers: [Handlers] }, { prefix, lease: '500ms' });
    await journal.has(2);
  });

  it('leaves the DATABASE_URL of others alone as long as no handler here has an inbox', async () => {
    process.env['DATABASE_URL'] = 'mysql://root@127.0.0.1:1/theirs';
    try {
      await bench.app({ imports: [MillraceModule.forFeature([OrderPlaced])] });
    } finally {
      delete process.env['DATABASE_URL'];
    }
  });

  it('connects to nothing until it is started', async () => {
    await bench.deserted();
    const imports = [MillraceModule.forFeature([OrderPlaced, SendConfirmation])];
    const module = await bench.builder({ imports }).compile();
    expect(await bench.connections()).toBe(0);
    await module.close();
  });
});

describe('an application that cannot start', () => {
  @Topic('resized', { partitions: 2 })
  class Two {
    readonly id = 'a';
  }
  @Topic('resized', { partitions: 3 })
  class Three {
    readonly id = 'a';
  }

  it('leaves nothing connected, whatever was wrong', async () => {
    const prefix = bench.prefix();
    const app = await bench.app({ imports: [MillraceModule.forFeature([Two])] }, { prefix });
    await app.close();
    const imports = [MillraceModule.forFeature([Three, SendConfirmation])];
    const module = await bench.builder({ imports }, { prefix }).compile();
    expect((await failureOf(module.init())).code).toBe('TOPIC_MISMATCH');
    await bench.deserted();
  });

  it('says that Redis is not there, without its password', async () => {
    const port = await freePort();
    const error = await failureOf(bench.app({}, { redis: `redis://user:secret@127.0.0.1:${port}` }));
    expect(error.code).toBe('REDIS_UNREACHABLE');
    expect(error.message).not.toContain('secret');
  });

  it('says that the database is not there, and closes Redis', async () => {
    const port = await freePort();
    const module = await bench.builder({}, { database: `postgres://user:secret@127.0.0.1:${port}/shop` }).compile();
    const error = await failureOf(module.init());
    expect(error.code).toBe('DATABASE_UNREACHABLE');
    expect(error.message).not.toContain('secret');
    await bench.deserted();
  });
});
