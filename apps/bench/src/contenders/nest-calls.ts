import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClientProxyFactory, MessagePattern, Payload, Transport } from '@nestjs/microservices';
import { firstValueFrom } from 'rxjs';
import { type Order, order } from '../order.js';
import { callsUnderWay, type Contender } from './contender.js';
import { addressOf } from './nest-redis.js';
import { inWindow } from './window.js';

const PATTERN = 'bench.calls';

/** Nest's Redis transport: requests and answers over publish/subscribe, nothing is stored. */
export const nestCalls: Contender = {
  openProducer: async (url, spec, handled) => {
    const client = ClientProxyFactory.create({ transport: Transport.REDIS, options: addressOf(url) });
    await client.connect();
    const call = async (sent: Order): Promise<void> => handled(await firstValueFrom(client.send<Order>(PATTERN, sent)));
    return {
      saturate: (count) => inWindow(count, callsUnderWay(spec), (number) => call(order(number, spec.bytes))),
      send: call,
      close: () => Promise.resolve(client.close() as Promise<void>),
    };
  },
  openConsumer: async (url) => {
    const app = await NestFactory.createMicroservice(OrdersModule, {
      transport: Transport.REDIS, options: addressOf(url), logger: false,
    });
    await app.listen();
    return { close: () => app.close() };
  },
};

@Controller()
class Orders {
  @MessagePattern(PATTERN)
  placed(@Payload() placed: Order): Order {
    return placed;
  }
}

@Module({ controllers: [Orders] })
class OrdersModule {}
