import { setImmediate } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type CallHandler, Controller, type ExecutionContext, Get, Inject, Injectable, type INestApplication, type NestInterceptor, Scope, type Type } from '@nestjs/common';
import { type AbstractHttpAdapter, NestFactory, REQUEST } from '@nestjs/core';
import { Ctx, MessagePattern, Payload, type RequestContext } from '@nestjs/microservices';
import { ExpressAdapter } from '@nestjs/platform-express';
import { FastifyAdapter } from '@nestjs/platform-fastify';
import { defineTopic, MILLRACE, type MillraceContext } from '@millrace/nestjs';
import { delay, firstValueFrom, from, lastValueFrom, toArray } from 'rxjs';
import { Journal } from '../fixture.js';
import { EventPattern, moduleOf, toolsOf, TransportBench } from './fixture.js';

let bench: TransportBench;
let journal: Journal;
beforeAll(async () => void (bench = await TransportBench.start()));
beforeEach(() => {
  bench.begin();
  journal = new Journal();
});
afterEach(() => bench.closeAll());
afterAll(() => bench.stop());

const PLACED = defineTopic<{ id: string }>('order.placed');

class Counted implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler) {
    journal.add(context.getType());
    return next.handle();
  }
}

@Controller()
class Sums {
  @Get('sum')
  http() {
    return 'http';
  }

  @MessagePattern('each')
  each(@Payload() numbers: number[]) {
    return from(numbers).pipe(delay(1));
  }

  @MessagePattern('sum')
  sum(@Payload() numbers: number[]) {
    return numbers.reduce((a, b) => a + b, 0);
  }

  @MessagePattern('unwritable')
  unwritable() {
    return { total: 1n };
  }
}

async function hybrid(adapter: AbstractHttpAdapter, inheritAppConfig = true): Promise<INestApplication> {
  const app = await NestFactory.create(moduleOf({ controllers: [Sums] }), adapter, { logger: false });
  bench.keep(app);
  app.useGlobalInterceptors(new Counted());
  app.connectMicroservice({ strategy: bench.server() }, { inheritAppConfig });
  await app.startAllMicroservices();
  await app.listen(0, '127.0.0.1');
  return app;
}

/** A controller whose events are told apart from those of others by its name. */
function named(name: string): Type {
  @Controller()
  class Orders {
    @EventPattern('order.placed')
    placed(@Payload('id') id: string) {
      journal.add(`${name} ${id}`);
    }
  }
  return Orders;
}

describe('a hybrid application', () => {
  it.each([
    ['Express', () => new ExpressAdapter()],
    ['Fastify', () => new FastifyAdapter()],
  ])('on %s serves HTTP and requests, and inherited global interceptors surround both', async (_, adapter) => {
    const app = await hybrid(adapter());
    expect(await (await fetch(`${await app.getUrl()}/sum`)).text()).toBe('http');
    expect(await firstValueFrom(bench.client().send('sum', [1, 2]))).toBe(3);
    expect(journal.entries).toEqual(['http', 'rpc']);
  });

  it('keeps its global interceptors to HTTP where they are not inherited', async () => {
    await hybrid(new ExpressAdapter(), false);
    expect(await firstValueFrom(bench.client().send('sum', [1, 2]))).toBe(3);
    expect(journal.entries).toEqual([]);
  });
});

/** Nest's hooks and others listen, or a signal would end the process by itself. */
const heedful = (): void => undefined;
beforeEach(() => void process.on('SIGTERM', heedful));
afterEach(() => void process.off('SIGTERM', heedful));

describe('a microservice', () => {
  it('makes request-scoped controllers anew for each event, and retries when they fail', async () => {
    @Injectable({ scope: Scope.REQUEST })
    class Work {
      constructor(@Inject(REQUEST) readonly request: RequestContext) {}
    }
    @Controller()
    class Orders {
      constructor(readonly work: Work) {}

      @EventPattern('order.placed')
      placed(@Ctx() { attempt }: MillraceContext) {
        journal.add(`${(this.work.request.getData() as { id: string }).id} ${attempt}`);
        if (attempt === 1) throw new Error('again');
      }
    }
    const app = await bench.microservice({ controllers: [Orders], providers: [Work] });
    await app.listen();
    await toolsOf(app).publisher.publish(PLACED, { id: 'o-1' });
    expect(await journal.has(2)).toEqual(['o-1 1', 'o-1 2']);
  });

  it('runs handlers of its own transport alone', async () => {
    @Controller()
    class Orders {
      @EventPattern('order.placed', MILLRACE as never)
      mine() {
        journal.add('mine');
      }

      @EventPattern('order.placed', Symbol('other') as never)
      other() {
        journal.add('other');
      }
    }
    const app = await bench.listening([Orders]);
    const { publisher, inspector } = toolsOf(app);
    await publisher.publish(PLACED, { id: 'o-1' });
    await journal.has(1);
    await app.close();
    expect(inspector).toBeDefined();
    expect(journal.entries).toEqual(['mine']);
  });

  it('lets hooks of the application surround the work, also those that return nothing', async () => {
    @Controller()
    class Orders {
      @EventPattern('order.placed')
      placed() {
        journal.add('work');
      }
    }
    const server = bench.server();
    const type = moduleOf({ controllers: [Orders] });
    const app = bench.keep(await NestFactory.createMicroservice(type, { strategy: server, logger: false }));
    server.setOnProcessingStartHook((_, __, done) => {
      journal.add('start');
      void done();
    });
    server.setOnProcessingEndHook(() => journal.add('end'));
    await app.listen();
    await toolsOf(app).publisher.publish(PLACED, { id: 'o-1' });
    expect(await journal.has(3)).toEqual(['start', 'work', 'end']);
  });

  it('goes on when a hook throws at the end of the work: answers and streams come, and the process lives', async () => {
    const server = bench.server();
    const type = moduleOf({ controllers: [Sums] });
    const app = bench.keep(await NestFactory.createMicroservice(type, { strategy: server, logger: false }));
    server.setOnProcessingEndHook(() => {
      journal.add('end');
      throw new Error('no span');
    });
    await app.listen();
    const client = bench.client();
    expect(await firstValueFrom(client.send('sum', [1, 2]))).toBe(3);
    expect(await lastValueFrom(client.send('each', [1, 2]).pipe(toArray()))).toEqual([1, 2]);
    expect(journal.entries).toEqual(['end', 'end']);
  });

  it('calls the hook for the end of the work also where the value of the handler cannot be written', async () => {
    const server = bench.server();
    const type = moduleOf({ controllers: [Sums] });
    const app = bench.keep(await NestFactory.createMicroservice(type, { strategy: server, logger: false }));
    server.setOnProcessingEndHook(() => journal.add('end'));
    await app.listen();
    await expect(firstValueFrom(bench.client().send('unwritable', {}))).rejects.toMatchObject({ status: 'error' });
    expect(journal.entries).toEqual(['end']);
  });

  it('lets a handler at work finish when it is closed, twice, and takes no new event', async () => {
    let finish!: () => void;
    const finished = new Promise<void>((resolve) => (finish = resolve));
    @Controller()
    class Orders {
      @EventPattern('order.placed')
      async placed(@Payload('id') id: string) {
        journal.add(`begun ${id}`);
        await finished;
        journal.add(`done ${id}`);
      }
    }
    const app = await bench.listening([Orders], { concurrency: 1 });
    const told: string[] = [];
    app.status.subscribe((status) => told.push(status));
    const { publisher } = toolsOf(app);
    await publisher.publish(PLACED, { id: '1' });
    await journal.has(1);
    const closing = Promise.all([app.close(), app.getTransportServer().close()]);
    finish();
    await closing;
    expect(journal.entries).toEqual(['begun 1', 'done 1']);
    expect(told).toEqual(['connected', 'disconnected']);
  });

  it('is started once, however often it is told to listen: nothing of it goes on when it was closed', async () => {
    const app = await bench.listening([named('first')]);
    await app.listen();
    const { publisher } = toolsOf(app);
    await publisher.publish(PLACED, { id: '1' });
    await journal.has(1);
    await app.close();
    await lastValueFrom(bench.client().emit('order.placed', { id: '2' }));
    await bench.listening([named('second')]);
    expect(await journal.has(2)).toEqual(['first 1', 'second 2']);
  });

  it('stops fetching when the process is asked to stop, before it is closed', async () => {
    const app = await bench.listening([named('first')]);
    const { publisher } = toolsOf(app);
    await publisher.publish(PLACED, { id: '1' });
    await journal.has(1);
    process.emit('SIGTERM');
    await publisher.publish(PLACED, { id: '2' });
    await bench.listening([named('second')]);
    expect(await journal.has(2)).toEqual(['first 1', 'second 2']);
    await bench.closeAll();
    expect(process.listeners('SIGTERM')).toEqual([heedful]);
  });

  it('fetches nothing when the process is asked to stop while it connects', async () => {
    await lastValueFrom(bench.client().emit('order.placed', { id: '1' }));
    const app = await bench.microservice({ controllers: [named('first')] });
    await app.init();
    const listening = app.listen();
    await setImmediate();
    process.emit('SIGTERM');
    await listening;
    await bench.listening([named('second')]);
    expect(await journal.has(1)).toEqual(['second 1']);
  });
});
