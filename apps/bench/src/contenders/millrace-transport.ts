import { Controller, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern, MessagePattern, Payload } from '@nestjs/microservices';
import { MillraceClient, MillraceServer, type MillraceServerOptions } from '@millrace/nestjs';
import { firstValueFrom, lastValueFrom } from 'rxjs';
import { type Order, order } from '../order.js';
import { callsUnderWay, type Consumer, type Contender, type Handled } from './contender.js';
import { inWindow } from './window.js';

const SERVICE = 'bench';
const CALLS = 'bench.calls';
const ORDERS = 'bench.orders';
const EVENTS_UNDER_WAY = 2_048;

/** Requests of Nest's `ClientProxy` to a `@MessagePattern`, over Millrace. */
export const transportCalls: Contender = {
  openProducer: async (url, spec, handled) => {
    const client = new MillraceClient({ redis: url, service: SERVICE });
    await client.connect();
    const call = async (sent: Order): Promise<void> => handled(await firstValueFrom(client.send<Order>(CALLS, sent)));
    return {
      saturate: (count) => inWindow(count, callsUnderWay(spec), (number) => call(order(number, spec.bytes))),
      send: call,
      close: () => client.close(),
    };
  },
  openConsumer: (url) => listening(Answers, { redis: url, service: SERVICE, concurrency: 1_000 }),
};

/** Durable events of Nest's `ClientProxy` to an `@EventPattern`, over Millrace. */
export const transportEvents: Contender = {
  openProducer: async (url, { bytes }) => {
    const client = new MillraceClient({ redis: url });
    await client.connect();
    const emit = (sent: Order): Promise<unknown> => lastValueFrom(client.emit(ORDERS, sent));
    return {
      saturate: (count) => inWindow(count, EVENTS_UNDER_WAY, (number) => emit(order(number, bytes))),
      send: emit,
      close: () => client.close(),
    };
  },
  openConsumer: (url, _spec, handled) => listening(ordersOf(handled), { redis: url, service: SERVICE }),
};

async function listening(controller: Type, options: MillraceServerOptions): Promise<Consumer> {
  @Module({ controllers: [controller] })
  class OrdersModule {}
  const app = await NestFactory.createMicroservice(OrdersModule, { strategy: new MillraceServer(options), logger: false });
  await app.listen();
  return { close: () => app.close() };
}

@Controller()
class Answers {
  @MessagePattern(CALLS)
  placed(@Payload() placed: Order): Order {
    return placed;
  }
}

function ordersOf(handled: Handled): Type {
  @Controller()
  class Orders {
    @EventPattern(ORDERS)
    placed(@Payload() placed: Order): void {
      handled(placed);
    }
  }
  return Orders;
}
