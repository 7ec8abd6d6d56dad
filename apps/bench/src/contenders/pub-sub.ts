import { type Order, order } from '../order.js';
import type { Contender } from './contender.js';
import { inPipelines } from './pipelines.js';
import { ended, openRedis } from './redis-client.js';

const CHANNEL = 'bench:channel';

/** Redis publish/subscribe: nothing is stored, and an absent subscriber misses the message. The measure of latency. */
export const pubSub: Contender = {
  openProducer: (url, { bytes }) => {
    const redis = openRedis(url);
    const text = (number: number): string => JSON.stringify(order(number, bytes));
    return Promise.resolve({
      saturate: (count) => inPipelines(redis, count, (pipeline, number) => pipeline.publish(CHANNEL, text(number))),
      send: (sent) => redis.publish(CHANNEL, JSON.stringify(sent)),
      close: () => ended(redis),
    });
  },
  openConsumer: async (url, _spec, handled) => {
    const redis = openRedis(url);
    redis.on('message', (_channel, text) => handled(JSON.parse(text) as Order));
    await redis.subscribe(CHANNEL);
    return { close: () => ended(redis) };
  },
};
