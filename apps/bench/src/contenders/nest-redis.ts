import { Controller, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClientProxyFactory, EventPattern, Payload, Transport } from '@nestjs/microservices';
import { lastValueFrom } from 'rxjs';
import { type Order, order } from '../order.js';
import type { Contender, Handled } from './contender.js';
import { inWindow } from './window.js';

const PATTERN = 'bench.orders';
const UNDER_WAY = 512;

/** Nest's Redis transport: events over publish/subscribe, nothing is stored. */
export const nestRedis: Contender = {
  openProducer: async (url, { bytes }) => {
    const client = ClientProxyFactory.create({ transport: Transport.REDIS, options: addressOf(url) });
    await client.connect();
    const emit = (sent: Order): Promise<unknown> => lastValueFrom(client.emit(PATTERN, sent), { defaultValue: undefined });
    return {
      saturate: (count) => inWindow(count, UNDER_WAY, (number) => emit(order(number, bytes))),
      send: emit,
      close: () => Promise.resolve(client.close() as Promise<void>),
    };
  },
  openConsumer: async (url, _spec, handled) => {
    const app = await NestFactory.createMicroservice(moduleOf(handled), {
      transport: Transport.REDIS, options: addressOf(url), logger: false,
    });
    await app.listen();
    return { close: () => app.close() };
  },
};

export function addressOf(url: string): { host: string; port: number } {
  const { hostname, port } = new URL(url);
  return { host: hostname, port: Number(port) };
}

function moduleOf(handled: Handled): new () => object {
  @Controller()
  class Orders {
    @EventPattern(PATTERN)
    placed(@Payload() placed: Order): void {
      handled(placed);
    }
  }
  @Module({ controllers: [Orders] })
  class OrdersModule {}
  return OrdersModule;
}
