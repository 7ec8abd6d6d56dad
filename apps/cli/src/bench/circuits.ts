import { defineTopic, deliveryPipeline, fixed, Forwarding, Job, jobOf, Publisher, topicOfRef } from '@millrace/core';
import type { RedisTarget, Topology } from '@millrace/redis';
import { Arrivals } from './arrivals.js';

/** A way of messages, from the sending to the end that is measured. */
export interface Circuit {
  /** Resolves when the message of this number has come to its end. */
  send(number: number): Promise<unknown>;
  close(): Promise<void>;
}

export interface CircuitOptions {
  readonly redis: Topology;
  readonly target: RedisTarget;
  readonly prefix: string;
  /** Characters of a text that each message has. */
  readonly size: number;
  readonly partitions: number;
}

interface Numbered {
  readonly number: number;
  readonly text: string;
}

const NAME = 'bench';
const LEASE_MS = 15_000;
const STOP_MS = 1_000;
const CALL_MS = 30_000;
const HANDLERS = 64;

/** From a publish to the answer of Redis that has the message. */
export async function pub({ redis, prefix, size, partitions }: CircuitOptions): Promise<Circuit> {
  const { createStreams } = await import('@millrace/streams');
  const streams = createStreams({ redis, prefix, leaseMs: LEASE_MS });
  const publisher = new Publisher(streams);
  const [topic, text] = [defineTopic<Numbered>(NAME, { partitions }), 'x'.repeat(size)];
  return { send: (number) => publisher.publish(topic, { number, text }), close: () => streams.stop(STOP_MS) };
}

/** From a publish to the handler of a group in this process. */
export async function sub({ redis, prefix, size, partitions }: CircuitOptions): Promise<Circuit> {
  const { createStreams } = await import('@millrace/streams');
  const streams = createStreams({ redis, prefix, leaseMs: LEASE_MS });
  const [publisher, arrivals] = [new Publisher(streams), new Arrivals()];
  const [defined, text] = [defineTopic<Numbered>(NAME, { partitions }), 'x'.repeat(size)];
  const topic = topicOfRef(defined);
  const handler = deliveryPipeline({
    topic, group: NAME, retry: { attempts: 1, backoff: fixed('1ms'), deadLetterOn: [] }, timeoutMs: null,
    handle: arriving(arrivals), forwarding: new Forwarding({ jobs: undefined }),
  });
  const limits = { concurrency: HANDLERS, crashLimit: 10, unknownForMs: 0, start: 'earliest' } as const;
  await streams.subscribe({ topic, group: NAME, ...limits }, handler);
  return {
    send: (number) => Promise.all([arrivals.of(number), publisher.publish(defined, { number, text })]),
    close: () => streams.stop(STOP_MS),
  };
}

/** From a call to its answer, by a service in this process. */
export async function rpc({ redis, prefix, size }: CircuitOptions): Promise<Circuit> {
  const [{ createStreams }, { createRpc }] = await Promise.all([import('@millrace/streams'), import('@millrace/rpc')]);
  const streams = createStreams({ redis, prefix, leaseMs: LEASE_MS });
  const calls = createRpc({ redis, presence: streams.presence, prefix });
  const [service, version, text] = [NAME, '1', JSON.stringify('x'.repeat(size))];
  const echo = { idempotent: false, handle: ({ payload }: { payload: string }) => Promise.resolve(payload) };
  await calls.serve({ service, version, concurrency: HANDLERS, methods: new Map([['echo', echo]]) });
  return {
    send: () => calls.call({ service, version, method: 'echo', payloadJson: text, timeoutMs: CALL_MS, idempotent: false }),
    close: async () => {
      await calls.stop(STOP_MS);
      await streams.stop(STOP_MS);
    },
  };
}

/** From the enqueuing of a job to its handler in this process. */
export async function jobs({ target, prefix, size }: CircuitOptions): Promise<Circuit> {
  const { bullConnection, JobQueue, openQueue, startJobWorker } = await import('@millrace/jobs');
  class Numbering implements Numbered {
    number!: number;
    text!: string;
  }
  Job(NAME, { queue: NAME, unknownProperties: 'keep' })(Numbering);
  const [definition, arrivals, text] = [jobOf(Numbering), new Arrivals(), 'x'.repeat(size)];
  const queue = await openQueue(NAME, { target, prefix });
  const handle = arriving(arrivals);
  const worker = await startJobWorker({
    queue: NAME, connection: bullConnection(target, 'worker'), prefix, concurrency: HANDLERS, handlers: new Map([[NAME, { definition, handle }]]),
  });
  const sender = new JobQueue(() => queue);
  return {
    send: (number) => Promise.all([arrivals.of(number), sender.enqueue(Numbering, { number, text })]),
    close: async () => {
      await worker.stop(STOP_MS);
      await queue.close();
    },
  };
}

function arriving(arrivals: Arrivals): (payload: object) => Promise<void> {
  return (payload) => {
    arrivals.arrived((payload as Numbered).number);
    return Promise.resolve();
  };
}
