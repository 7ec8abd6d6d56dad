import { Redis } from 'ioredis';
import { type Order, order } from '../order.js';
import type { Contender } from './contender.js';
import { ended, inPipelines } from './pipelines.js';

const CHANNEL = 'bench:channel';

/** Redis publish/subscribe: nothing is stored, and whoever is away misses it. The measure of latency. */
export const pubSub: Contender = {
  openProducer: (url, { bytes }) => {
    const redis = new Redis(url);
    const text = (number: number): string => JSON.stringify(order(number, bytes));
    return Promise.resolve({
      saturate: (count) => inPipelines(redis, count, (pipeline, number) => pipeline.publish(CHANNEL, text(number))),
      send: (sent) => void redis.publish(CHANNEL, JSON.stringify(sent)),
      close: () => ended(redis),
    });
  },
  openConsumer: async (url, _spec, handled) => {
    const redis = new Redis(url);
    redis.on('message', (_channel, text) => handled(JSON.parse(text) as Order));
    await redis.subscribe(CHANNEL);
    return { close: () => ended(redis) };
  },
};
