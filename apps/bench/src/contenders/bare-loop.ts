import type { Redis } from 'ioredis';
import { type Order, order } from '../order.js';
import type { Consumer, Contender, Handled, Producer, Spec } from './contender.js';
import { inPipelines } from './pipelines.js';
import { ended, openRedis } from './redis-client.js';

const STREAM = 'bench:bare';
const GROUP = 'bench';
const COUNT = 256;
const BLOCK_MS = 1_000;

/** `[[stream, [[id, [field, value]], ...]]]`, or null when nothing came. */
type Reply = [string, [string, string[]][]][] | null;

/**
 * Redis Streams by hand, as lean as a good engineer writes them: pipelines of XADD, the next read under way while messages
 * are handled, one variadic XACK for each read. No retries, no deduplication, no fence.
 */
export const bareLoop: Contender = {
  openProducer: (url, spec) => Promise.resolve(bareProducer(openRedis(url), spec)),
  openConsumer: async (url, _spec, handled) => BareConsumer.open(url, handled),
};

function bareProducer(redis: Redis, { bytes }: Spec): Producer {
  return {
    saturate: (count) =>
      inPipelines(redis, count, (pipeline, number) => pipeline.xadd(STREAM, '*', 'd', JSON.stringify(order(number, bytes)))),
    send: (sent) => redis.xadd(STREAM, '*', 'd', JSON.stringify(sent)),
    close: () => ended(redis),
  };
}

class BareConsumer implements Consumer {
  readonly #reader: Redis;
  readonly #acks: Redis;
  readonly #handled: Handled;
  #closed = false;

  private constructor(url: string, handled: Handled) {
    this.#reader = openRedis(url);
    this.#acks = openRedis(url);
    this.#handled = handled;
  }

  static async open(url: string, handled: Handled): Promise<BareConsumer> {
    const consumer = new BareConsumer(url, handled);
    await consumer.#acks.xgroup('CREATE', STREAM, GROUP, '$', 'MKSTREAM');
    void consumer.#run();
    return consumer;
  }

  async #run(): Promise<void> {
    let next = this.#read();
    while (!this.#closed) {
      const reply = await next;
      next = this.#read();
      if (reply) this.#take(reply);
    }
  }

  async #read(): Promise<Reply> {
    try {
      return (await this.#reader.xreadgroup(
        'GROUP', GROUP, 'consumer', 'COUNT', COUNT, 'BLOCK', BLOCK_MS, 'STREAMS', STREAM, '>',
      )) as Reply;
    } catch (error) {
      if (this.#closed) return null;
      throw error;
    }
  }

  #take(reply: NonNullable<Reply>): void {
    const ids: string[] = [];
    for (const [, entries] of reply) {
      for (const [id, fields] of entries) {
        this.#handled(JSON.parse(fields[1]!) as Order);
        ids.push(id);
      }
    }
    void this.#acks.xack(STREAM, GROUP, ...ids);
  }

  async close(): Promise<void> {
    this.#closed = true;
    this.#reader.disconnect();
    await ended(this.#acks);
  }
}
