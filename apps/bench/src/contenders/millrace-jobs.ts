import { Injectable } from '@nestjs/common';
import { Job, JobHandler, JobQueue } from '@millrace/nestjs';
import { IsInt, IsNumber, IsString } from 'class-validator';
import { type Order, order } from '../order.js';
import { JOB_CONCURRENCY } from './bullmq.js';
import type { Contender, Handled } from './contender.js';
import { startApplication } from './millrace-application.js';

const MANY = 256;

@Job('order-placed', { queue: 'bench' })
class OrderPlaced implements Order {
  @IsString() orderId!: string;
  @IsString() customerId!: string;
  @IsString() item!: string;
  @IsInt() quantity!: number;
  @IsNumber() price!: number;
  @IsInt() sentAt!: number;
  @IsString() note!: string;
}

/** Millrace's jobs, through its modules. */
export const millraceJobs: Contender = {
  openProducer: async (url, { bytes }) => {
    const app = await startApplication({ options: { redis: url, handlers: 'none' }, contracts: [OrderPlaced] });
    const jobs = app.get(JobQueue, { strict: false });
    return {
      saturate: async (count) => {
        for (let from = 0; from < count; from += MANY) {
          const numbers = Array.from({ length: Math.min(MANY, count - from) }, (_, index) => from + index);
          await jobs.enqueueMany(OrderPlaced, numbers.map((number) => ({ payload: order(number, bytes) })));
        }
      },
      send: (sent) => jobs.enqueue(OrderPlaced, sent),
      close: () => app.close(),
    };
  },
  openConsumer: async (url, _spec, handled) => {
    const app = await startApplication({ options: { redis: url }, contracts: [OrderPlaced], providers: [handlerOf(handled)] });
    return { close: () => app.close() };
  },
};

function handlerOf(handled: Handled): new () => object {
  @Injectable()
  class Orders {
    @JobHandler(OrderPlaced, { concurrency: JOB_CONCURRENCY })
    handle(placed: OrderPlaced): void {
      handled(placed);
    }
  }
  return Orders;
}
