import { randomUUID } from 'node:crypto';
import { type Job, type JobsOptions, Queue, Worker } from 'bullmq';
import { type Order, order } from '../order.js';
import type { Contender } from './contender.js';

const QUEUE = 'bench';
const JOB = 'order-placed';
const BULK = 256;
/** The concurrency of both contenders that process jobs. */
export const JOB_CONCURRENCY = 64;

/** BullMQ by hand, with ids and retention as Millrace gives them to its jobs. A lost connection shows in the calls that fail. */
export const bullmq: Contender = {
  openProducer: async (url, { bytes }) => {
    const queue = new Queue(QUEUE, { connection: { url } });
    queue.on('error', () => undefined);
    await queue.waitUntilReady();
    return {
      saturate: async (count) => {
        for (let from = 0; from < count; from += BULK) {
          const numbers = Array.from({ length: Math.min(BULK, count - from) }, (_, index) => from + index);
          await queue.addBulk(numbers.map((number) => ({ name: JOB, data: order(number, bytes), opts: options() })));
        }
      },
      send: (sent) => queue.add(JOB, sent, options()),
      close: () => queue.close(),
    };
  },
  openConsumer: async (url, _spec, handled) => {
    const handle = ({ data }: Job<Order>): Promise<void> => {
      handled(data);
      return Promise.resolve();
    };
    const worker = new Worker<Order>(QUEUE, handle, {
      connection: { url },
      concurrency: JOB_CONCURRENCY,
      removeOnComplete: { age: 86_400, count: 10_000 },
      removeOnFail: { age: 30 * 86_400, count: 100_000 },
    });
    worker.on('error', () => undefined);
    await worker.waitUntilReady();
    return { close: () => worker.close() };
  },
};

function options(): JobsOptions {
  return { jobId: randomUUID(), attempts: 5, backoff: { type: 'exponential', delay: 1_000, jitter: 0.5 } };
}
