import { type INestApplicationContext, Injectable, type Type } from '@nestjs/common';
import { type Duration, fixed, type PublishItem, type PublishOptions, Publisher, Subscribe, Topic } from '@millrace/nestjs';
import { IsInt, IsNumber, IsString } from 'class-validator';
import { type Order, order } from '../order.js';
import type { Contender, Handled, MillraceSettings, Producer, Spec } from './contender.js';
import { startApplication } from './millrace-application.js';
import { inWindow } from './window.js';

const UNDER_WAY = 2_048;
const MANY = 256;
const MANY_UNDER_WAY = 2;
const A_DAY = fixed('1d');

/** Millrace's topics, through its modules, its publisher and a handler in a Nest provider. */
export const millrace: Contender = {
  openProducer: async (url, spec) => {
    const topic = topicsOf({ ...spec.millrace, topics: 1 })[0]!;
    const app = await startApplication({ options: { redis: url, handlers: 'none' }, contracts: [topic] });
    return producer(app, topic, spec);
  },
  openConsumer: async (url, { millrace: settings = {} }, handled) => {
    const topics = topicsOf(settings);
    const { lease } = settings;
    const app = await startApplication({
      options: { redis: url, ...(lease ? { lease: lease as Duration } : {}) },
      contracts: topics,
      providers: topics.flatMap((topic) => handlersOf(topic, settings, handled)),
    });
    return { close: () => app.close() };
  },
};

function producer(app: INestApplicationContext, topic: Type<Order>, { bytes, millrace: settings = {} }: Spec): Producer {
  const publisher = app.get(Publisher, { strict: false });
  const start = process.hrtime.bigint().toString(36);
  const customer = settings.oneCustomer ? 'one' : undefined;
  const made = (number: number): Order => order(number, bytes, customer);
  let keys = 0;
  const newKey = (): string => `${start}-${(keys += 1)}`;
  const optionsOf = (): PublishOptions | undefined => (settings.keyed ? { idempotencyKey: newKey() } : undefined);
  const publish = async (sent: Order): Promise<unknown> => publisher.publish(topic, sent, optionsOf());
  const itemOf = (payload: Order): PublishItem<Order> =>
    settings.keyed ? { payload, idempotencyKey: newKey() } : { payload };
  const publishChunk = async (from: number, count: number): Promise<unknown> => {
    const orders = Array.from({ length: Math.min(MANY, count - from) }, (_, index) => made(from + index));
    return publisher.publishMany(topic, orders.map(itemOf));
  };
  return {
    saturate: async (count) => {
      if (settings.many) await inWindow(Math.ceil(count / MANY), MANY_UNDER_WAY, (chunk) => publishChunk(chunk * MANY, count));
      else await inWindow(count, UNDER_WAY, (number) => publish(made(number)));
    },
    send: publish,
    flood: (count) => refusalsOf(count, (number) => publisher.publish(topic, made(number))),
    close: () => app.close(),
  };
}

/** Sends without waiting, and keeps only a count for each message, so that the heap shows the memory of the publisher. */
function refusalsOf(count: number, send: (number: number) => Promise<unknown>): Promise<number> {
  return new Promise((resolve) => {
    let [open, refused] = [count, 0];
    const ended = (): void => {
      open -= 1;
      if (open === 0) resolve(refused);
    };
    const failed = (): void => {
      refused += 1;
      ended();
    };
    for (let number = 0; number < count; number += 1) send(number).then(ended, failed);
  });
}

/** The contracts, one for each topic; messages are published to the first. */
export function topicsOf({ topics = 1, partitions = 1 }: MillraceSettings): Type<Order>[] {
  return Array.from({ length: topics }, (_, index) => topicOf(`bench.orders.${index}`, partitions));
}

/** The group of a handler, from 0. */
export function groupName(index: number): string {
  return `bench-${index}`;
}

function topicOf(name: string, partitions: number): Type<Order> {
  @Topic<OrderPlaced>(name, { partitions, key: ({ customerId }) => customerId })
  class OrderPlaced implements Order {
    @IsString() orderId!: string;
    @IsString() customerId!: string;
    @IsString() item!: string;
    @IsInt() quantity!: number;
    @IsNumber() price!: number;
    @IsInt() sentAt!: number;
    @IsString() note!: string;
  }
  return OrderPlaced;
}

function handlersOf(topic: Type<Order>, settings: MillraceSettings, handled: Handled): Type[] {
  const { groups = 1, handler, afflicted = groups } = settings;
  return Array.from({ length: groups }, (_, index) => {
    const own = { ...settings, handler: index < afflicted ? handler : undefined };
    return handlerOf(topic, own, { group: groupName(index), handled });
  });
}

interface Place {
  readonly group: string;
  readonly handled: Handled;
}

function handlerOf(topic: Type<Order>, settings: MillraceSettings, { group, handled }: Place): Type {
  const { concurrency, handler, ordered, ledger } = settings;
  const options = {
    ...(ordered ? { ordering: 'key' as const } : {}),
    ...(ledger ? { idempotency: true } : {}),
    ...(concurrency ? { concurrency } : {}),
    ...(handler === 'fail' ? { retry: { attempts: 5, backoff: A_DAY } } : {}),
  };
  const endless = new Promise<void>(() => undefined);
  @Injectable()
  class Orders {
    @Subscribe(topic, { group, ...options })
    handle(placed: Order): Promise<void> | undefined {
      handled(placed);
      if (handler === 'fail') throw new Error('this order fails');
      return handler === 'hold' ? endless : undefined;
    }
  }
  return Orders;
}
