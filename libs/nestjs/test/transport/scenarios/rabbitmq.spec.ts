import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, type INestApplication, type OnModuleDestroy, Post } from '@nestjs/common';
import { ClientProxyFactory, Ctx, MessagePattern, Payload } from '@nestjs/microservices';
import { MillraceClient, type MillraceContext } from '@millrace/nestjs';
import type { Observable } from 'rxjs';
import { Journal } from '../../fixture.js';
import { EventPattern } from '../fixture.js';
import { Adder, AdderRoutes, LISTS, NUMBERS, SUMS } from './adder.js';
import { bodyOf, posted, ScenarioBench } from './scenario-bench.js';

const told = new Journal<unknown>();

/** It makes its client itself, and closes it. */
@Controller()
class Routes extends AdderRoutes implements OnModuleDestroy {
  readonly client = ClientProxyFactory.create({ customClass: MillraceClient, options: { service: 'adder' } });

  @Post('by-topic')
  byTopic(): Observable<string> {
    return this.client.send('stock.paris.shoes', {});
  }

  async onModuleDestroy() {
    await this.client.close();
  }
}

@Controller()
class Handlers extends Adder {
  @EventPattern('told')
  hear(@Payload() data: unknown) {
    told.add(data);
  }

  @MessagePattern('stock.*.*')
  stock(@Ctx() context: MillraceContext) {
    return context.getSubject();
  }
}

let bench: ScenarioBench;
let app: INestApplication;
beforeAll(async () => {
  bench = await ScenarioBench.start();
  app = await bench.hybrid({ controllers: [Routes, Handlers] });
});
afterAll(() => bench.stop());

describe('in the place of the RabbitMQ transport', () => {
  it('a client that a controller made gets the number of a message handler', async () => {
    expect(await bodyOf(posted(app, 'ask/add', NUMBERS))).toBe('15');
  });

  it('a client that a controller made gets the number of a promise', async () => {
    expect(await bodyOf(posted(app, 'ask/add-later', NUMBERS))).toBe('15');
  });

  it('a client that a controller made gets the number of an Observable', async () => {
    expect(await bodyOf(posted(app, 'ask/add-observed', NUMBERS))).toBe('15');
  });

  it('a client that a controller made asks ten times at once', async () => {
    expect(JSON.parse(await bodyOf(posted(app, 'ask-at-once', LISTS)))).toEqual(SUMS);
  });

  it('a client that a controller made gets a stream of numbers', async () => {
    expect(await bodyOf(posted(app, 'running-sum', NUMBERS))).toBe('15');
  });

  it('a client that a controller made emits an event to a handler', async () => {
    await bodyOf(posted(app, 'tell', { news: true }));
    expect(await told.has(1)).toEqual([{ news: true }]);
  });
});

describe('in the place of a topic exchange of RabbitMQ', () => {
  it('a handler of two wildcards learns the name that the caller sent to', async () => {
    expect(await bodyOf(posted(app, 'by-topic'))).toBe('stock.paris.shoes');
  });
});
