import { RpcContract, RpcService } from '@millrace/nestjs';
import { IsInt, IsNumber, IsString } from 'class-validator';
import { type Order, order } from '../order.js';
import { callsUnderWay, type Contender } from './contender.js';
import { startApplication } from './millrace-application.js';
import { inWindow } from './window.js';

class OrderPlaced implements Order {
  @IsString() orderId!: string;
  @IsString() customerId!: string;
  @IsString() item!: string;
  @IsInt() quantity!: number;
  @IsNumber() price!: number;
  @IsInt() sentAt!: number;
  @IsString() note!: string;
}

@RpcContract<OrdersApi>('bench', { placed: { input: OrderPlaced, output: OrderPlaced, timeout: '30s' } })
abstract class OrdersApi {
  abstract placed(placed: OrderPlaced): Promise<OrderPlaced>;
}

@RpcService(OrdersApi, { concurrency: 1_000 })
class Orders implements OrdersApi {
  placed(placed: OrderPlaced): Promise<OrderPlaced> {
    return Promise.resolve(placed);
  }
}

/** Millrace's remote calls, through its modules and the client of a contract. */
export const millraceCalls: Contender = {
  openProducer: async (url, spec, handled) => {
    const app = await startApplication({ options: { redis: url, handlers: 'none' }, contracts: [OrdersApi] });
    const orders = app.get(OrdersApi, { strict: false });
    const call = async (sent: Order): Promise<void> => handled(await orders.placed(sent));
    return {
      saturate: (count) => inWindow(count, callsUnderWay(spec), (number) => call(order(number, spec.bytes))),
      send: call,
      close: () => app.close(),
    };
  },
  openConsumer: async (url) => {
    const app = await startApplication({ options: { redis: url }, contracts: [OrdersApi], providers: [Orders] });
    return { close: () => app.close() };
  },
};
