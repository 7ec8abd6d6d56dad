import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClientProxyFactory, MessagePattern, type MicroserviceOptions, Payload, Transport } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import { Journal } from '../fixture.js';
import { EventPattern, moduleOf, TransportBench } from './fixture.js';

let bench: TransportBench;
beforeAll(async () => {
  bench = await TransportBench.start();
  bench.begin();
});
afterAll(() => bench.stop());

it("handlers serve Nest's Redis transport and Millrace at once, so that an application moves step by step", async () => {
  const heard = new Journal();
  @Controller()
  class Orders {
    @EventPattern('order.placed')
    placed(@Payload() from: string) {
      heard.add(from);
    }

    @MessagePattern({ cmd: 'double' })
    double(@Payload() value: number) {
      return value * 2;
    }
  }
  const app = bench.keep(await NestFactory.create(moduleOf({ controllers: [Orders] }), { logger: false }));
  const nest = { transport: Transport.REDIS, options: { port: bench.redis.port } } as const;
  app.connectMicroservice<MicroserviceOptions>(nest);
  app.connectMicroservice<MicroserviceOptions>({ strategy: bench.server() });
  await app.startAllMicroservices();
  const [old, own] = [bench.keep(ClientProxyFactory.create(nest)), bench.client()];
  const answers = [old, own].map((client) => lastValueFrom(client.send<number>({ cmd: 'double' }, 21)));
  expect(await Promise.all(answers)).toEqual([42, 42]);
  await lastValueFrom(old.emit('order.placed', 'redis'));
  await lastValueFrom(own.emit('order.placed', 'millrace'));
  expect([...(await heard.has(2))].sort()).toEqual(['millrace', 'redis']);
});
