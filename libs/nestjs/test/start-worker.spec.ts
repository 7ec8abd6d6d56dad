import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { type DynamicModule, Injectable, Module } from '@nestjs/common';
import { freePort, waitFor } from '@millrace/testing';
import {
  Health, Publisher, type Readiness, RpcContract, RpcService, type RunningWorker, startWorker, Subscribe, type WorkerOptions,
} from '@millrace/nestjs';
import { Bench, failureOf, Journal, OrderPlaced } from './fixture.js';

let bench: Bench;
let worker: RunningWorker | null = null;
beforeAll(async () => void (bench = await Bench.start()));
afterEach(async () => {
  await worker?.stop();
  worker = null;
});
afterAll(() => bench.stop());

@Injectable()
class Notes extends Journal {}

@Injectable()
class Handlers {
  constructor(readonly notes: Notes) {}

  @Subscribe(OrderPlaced, { group: 'inventory' })
  handle({ orderId }: OrderPlaced): void {
    this.notes.add(orderId);
  }
}

@RpcContract<ClockApi>('clock', { wind: {} })
abstract class ClockApi {
  abstract wind(): Promise<void>;
}

@Injectable()
@RpcService(ClockApi)
class Clock {
  wind(): Promise<void> {
    return Promise.resolve();
  }
}

@Module({})
class AppModule {}

function application(options: Parameters<Bench['module']>[0] = {}, providers: DynamicModule['providers'] = []): DynamicModule {
  return { module: AppModule, imports: [bench.module(options)], providers: [Notes, Handlers, ...providers] };
}

async function start(app: DynamicModule, options: WorkerOptions = {}): Promise<RunningWorker> {
  worker = await startWorker(app, { logger: false, health: { port: 0 }, ...options });
  return worker;
}

const ask = async (path: string, method = 'GET'): Promise<{ status: number; body: unknown }> => {
  const response = await fetch(`${worker!.healthUrl!}${path}`, { method });
  return { status: response.status, body: await response.json() };
};

describe('startWorker', () => {
  it('runs the selected handlers, whatever the application selects, and stops once', async () => {
    const { app, stop } = await start(application({ handlers: 'none' }), { groups: ['inventory'] });
    await app.get(Publisher).publish(OrderPlaced, { orderId: 'a', amount: 1 });
    expect(await app.get(Notes).has(1)).toEqual(['a']);
    await Promise.all([stop(), stop()]);
    await bench.deserted();
  });

  it('refuses options that it does not know, and applications without Millrace', async () => {
    const wrong = { group: ['x'], health: { port: -1 }, queues: [] } as unknown as WorkerOptions;
    expect((await failureOf(start(application(), wrong))).problems).toEqual([
      "option 'group' is not known: did you mean 'groups'?",
      'queues: must give queues as a list of at least one name',
      'health must be false or { port, host, details }, with a port from 0 to 65535',
    ]);
    expect((await failureOf(start({ module: AppModule }))).message).toContain('must import MillraceModule.forRoot()');
    expect((await failureOf(start({ module: AppModule }, { health: false }))).message).toContain('must import MillraceModule.forRoot()');
  });

  it('says in the log that an application without handlers will do nothing, and is silent about others', async () => {
    const told = new Journal();
    const warn = (text: string): unknown => text.includes('no handlers') && told.add(text);
    const logger = { log: () => undefined, error: () => undefined, warn };
    const empty = { module: AppModule, imports: [bench.module()] };
    await (await start(empty, { logger })).stop();
    await (await start(application(), { logger })).stop();
    await (await start(application({}, [Clock]), { logger, services: ['clock'] })).stop();
    expect(told.entries).toEqual([expect.stringContaining('This worker has no handlers')]);
  });

  it('closes everything again when the application fails to start at last', async () => {
    const closed = new Journal();
    @Injectable()
    class Service {
      onApplicationBootstrap(): Promise<void> {
        return Promise.reject(new Error('no'));
      }

      onApplicationShutdown(): void {
        closed.add('closed');
      }
    }
    await expect(start(application({}, [Service]))).rejects.toThrow('no');
    expect(closed.entries).toEqual(['closed']);
    await bench.deserted();
  });
});

describe('health', () => {
  it('answers GET on its two paths only', async () => {
    await start(application());
    expect(await ask('/health/live?x=1')).toEqual({ status: 200, body: { ok: true, state: 'running' } });
    expect((await ask('/')).status).toBe(404);
    expect((await ask('/health/ready', 'POST')).status).toBe(405);
  });

  it('names no topic, no address and no error of a handler, unless its details are asked for', async () => {
    @Injectable()
    class Failing {
      @Subscribe(OrderPlaced, { group: 'failing', retry: { attempts: 1 }, breaker: { messages: 5 } })
      handle({ orderId }: OrderPlaced): void {
        throw new Error(`downstream is down for ${orderId}`);
      }
    }
    const { app } = await start(application({}, [Failing]));
    await app.get(Publisher).publishMany(OrderPlaced, Array.from({ length: 10 }, () => ({ payload: { orderId: 'r-10', amount: 1 } })));
    await waitFor(async () => (await ask('/health/ready')).status === 503, { what: 'the breaker to open' });
    expect((await ask('/health/ready')).body).toEqual({ ok: false, state: 'running' });
    expect(JSON.stringify(await app.get(Health).ready())).toContain('downstream is down for r-10');
    await bench.redis.kill();
    await waitFor(async () => !(await app.get(Health).ready()).redis.ok, { what: 'the worker to notice' });
    expect((await ask('/health/ready')).body).toEqual({ ok: false, state: 'running' });
    await bench.redis.restart();
    await waitFor(async () => (await app.get(Health).ready()).redis.ok, { what: 'Redis to be there again' });
  });

  it('is live but not ready while Redis is away, and ready again after', async () => {
    await start(application(), { health: { port: 0, details: true } });
    await bench.redis.kill();
    await waitFor(
      async () => {
        const { status, body } = await ask('/health/ready');
        expect(status).toBe(503);
        expect(body).toMatchObject({ ok: false, redis: { ok: false } });
        expect((body as Readiness).subscriptions[0]!.problem).not.toBeNull();
        return true;
      },
      { what: 'the worker to notice' },
    );
    expect((await ask('/health/live')).status).toBe(200);
    await bench.redis.restart();
    await waitFor(async () => (await ask('/health/ready')).status === 200, { what: 'the worker to be ready again' });
  });

  it('is not ready any more as soon as the worker stops', async () => {
    const begun = new Journal();
    const finish = new Journal();
    @Injectable()
    class Slow {
      @Subscribe(OrderPlaced, { group: 'slow' })
      async handle(): Promise<void> {
        begun.add('begun');
        await finish.has(1);
      }
    }
    const { app, stop } = await start(application({}, [Slow]));
    await app.get(Publisher).publish(OrderPlaced, { orderId: 'a', amount: 1 });
    await begun.has(1);
    const stopped = stop();
    const ready = await ask('/health/ready');
    expect(ready).toMatchObject({ status: 503, body: { ok: false, state: 'stopping' } });
    expect(await ask('/health/live')).toEqual({ status: 200, body: { ok: true, state: 'stopping' } });
    finish.add('now');
    await stopped;
    await expect(ask('/health/live')).rejects.toThrow('fetch failed');
  });

  it('keeps no connection that sends nothing, or half a request, when the worker stops', async () => {
    const { healthUrl, stop } = await start(application());
    const closed = ['', 'GET /health/live HTTP/1.1\r\n'].map((bytes) => {
      // A connection that is reset is closed, too.
      const socket = connect(Number(new URL(healthUrl!).port), '127.0.0.1').on('error', () => undefined).resume();
      socket.write(bytes);
      return new Promise((resolve) => socket.once('close', resolve));
    });
    await ask('/health/live');
    await stop();
    await Promise.all(closed);
  });

  it('is served before the application has started', async () => {
    const seen = new Journal<unknown>();
    const port = await freePort();
    @Injectable()
    class Service {
      async onModuleInit(): Promise<void> {
        const live = await fetch(`http://127.0.0.1:${port}/health/live`);
        const ready = await fetch(`http://127.0.0.1:${port}/health/ready`);
        seen.add([live.status, ready.status, await ready.json()]);
      }
    }
    await start(application({}, [Service]), { health: { port } });
    expect(seen.entries).toEqual([[200, 503, { ok: false, state: 'starting' }]]);
  });
});
