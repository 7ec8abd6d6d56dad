import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { Controller, type INestApplication, Inject, Post } from '@nestjs/common';
import { MessagePattern } from '@nestjs/microservices';
import type { MillraceClient } from '@millrace/nestjs';
import { lastValueFrom, map, reduce } from 'rxjs';
import { bodyOf, posted, ScenarioBench } from './scenario-bench.js';

@Controller()
class Counters {
  @MessagePattern('counters.one')
  one() {
    return 1;
  }

  @MessagePattern('counters.ping')
  ping() {
    return 'pong';
  }
}

@Controller()
class Routes {
  constructor(@Inject('ADDER') readonly client: MillraceClient) {}

  @Post('count')
  count() {
    return this.client.broadcast<number>('counters.one', {}).pipe(
      map((reply) => ('value' in reply ? reply.value : 0)),
      reduce((sum, one) => sum + one, 0),
    );
  }

  @Post('ping')
  async ping() {
    const replies = this.client.broadcast<string>('counters.ping', {});
    const pongs = replies.pipe(reduce((all: string[], reply) => [...all, 'value' in reply ? reply.value : 'failed'], []));
    return (await lastValueFrom(pongs)).join(' ');
  }
}

let bench: ScenarioBench;
let app: INestApplication;
beforeAll(async () => {
  bench = await ScenarioBench.start();
  app = await bench.hybrid({ imports: [bench.client()], controllers: [Routes, Counters] });
  await bench.hybrid({ controllers: [Counters] });
});
afterAll(() => bench.stop());

describe('in the place of a broadcast over Redis, NATS or MQTT', () => {
  it('two servers answer one request, and the caller adds up what they say', async () => {
    expect(await bodyOf(posted(app, 'count'))).toBe('2');
  });
});

describe('in the place of a fanout exchange of RabbitMQ', () => {
  it('a request reaches the queue of each server', async () => {
    expect(await bodyOf(posted(app, 'ping'))).toBe('pong pong');
  });
});
