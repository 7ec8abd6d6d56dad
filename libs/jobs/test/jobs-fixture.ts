import { type EventMap, type EventName, type JobDefinition, jobOf, listen, type PayloadClass } from '@millrace/core';
import { startTestRedis, type TestRedis, type TestRedisOptions } from '@millrace/testing';
import { Job, Queue, QueueEvents } from 'bullmq';
import {
  bullConnection,
  bullPrefix,
  type JobContext,
  JobQueue,
  type JobRegistration,
  type JobWorker,
  type JobWorkerOptions,
  startJobWorker,
  watchQueue,
} from '../src/index.js';

const PREFIX = 'jobs-test';

/** A Redis server with queues and workers on it; what it opened it closes. */
export class JobsFixture {
  readonly prefix = bullPrefix(PREFIX);
  readonly jobs = new JobQueue((name) => this.queue(name));
  readonly #queues = new Map<string, Queue>();
  readonly #events: QueueEvents[] = [];
  readonly #workers: JobWorker[] = [];

  private constructor(readonly redis: TestRedis) {}

  static async start(options: TestRedisOptions = {}): Promise<JobsFixture> {
    return new JobsFixture(await startTestRedis(options));
  }

  queue(name: string): Queue {
    const queue = this.#queues.get(name) ?? this.newQueue(name);
    this.#queues.set(name, queue);
    return queue;
  }

  /** A connection of its own to the same queue, to be closed by whoever asked for it. */
  newQueue(name: string): Queue {
    const queue = new Queue(name, { connection: bullConnection({ url: this.redis.url }, 'queue'), prefix: this.prefix });
    watchQueue(queue);
    return queue;
  }

  async worker(handlers: readonly JobRegistration[], options: Partial<JobWorkerOptions> = {}): Promise<JobWorker> {
    const worker = await startJobWorker({
      queue: handlers[0]!.definition.queue,
      connection: bullConnection({ url: this.redis.url }, 'worker'),
      prefix: PREFIX,
      concurrency: 4,
      handlers: new Map(handlers.map((handler) => [handler.definition.name, handler])),
      ...options,
    });
    this.#workers.push(worker);
    return worker;
  }

  /** The job as it is stored once it has completed or failed. */
  async finished(queueName: string, id: string): Promise<Job> {
    const queue = this.queue(queueName);
    const events = new QueueEvents(queueName, { connection: bullConnection({ url: this.redis.url }, 'worker'), prefix: this.prefix });
    this.#events.push(events);
    await events.waitUntilReady();
    const job = await this.stored(queueName, id);
    // A failed job rejects; which it was is read from the job.
    await job.waitUntilFinished(events, 30_000).catch((error: unknown) => String(error));
    return this.stored(queue.name, id);
  }

  async stored(queueName: string, id: string): Promise<Job> {
    const job = await Job.fromId(this.queue(queueName), id);
    if (!job) throw new Error(`There is no job ${id} in queue ${queueName}.`);
    return job;
  }

  /** Closes what tests opened and removes what they stored; the server stays. */
  async clear(): Promise<void> {
    const names = [...this.#queues.keys()];
    await this.#close();
    for (const name of names) await this.#obliterate(name);
  }

  async stop(): Promise<void> {
    await this.#close();
    await this.redis.stop();
  }

  /** Over a connection of its own: those of the tests may have been broken on purpose. */
  async #obliterate(name: string): Promise<void> {
    const queue = this.newQueue(name);
    await queue.obliterate({ force: true });
    await queue.close();
  }

  async #close(): Promise<void> {
    await Promise.all(this.#workers.splice(0).map((worker) => worker.stop(0)));
    await Promise.all(this.#events.splice(0).map((events) => events.close()));
    await Promise.all([...this.#queues.values()].map((queue) => queue.close()));
    this.#queues.clear();
  }
}

/** A registration whose handler is `handle`. */
export function handler<T extends object>(
  job: PayloadClass<T>,
  handle: (payload: T, context: JobContext) => unknown,
  changes: Partial<JobDefinition> & Pick<JobRegistration, 'inbox' | 'timeoutMs'> = {},
): JobRegistration {
  const { inbox, timeoutMs = null, ...definition } = changes;
  return {
    definition: { ...jobOf(job), ...definition },
    ...(inbox ? { inbox } : {}),
    timeoutMs,
    handle: async (payload, context) => handle(payload as T, context),
  };
}

/** A promise and what settles it. */
export class Signal<T = void> {
  readonly promise: Promise<T>;
  give!: (value: T) => void;

  constructor() {
    this.promise = new Promise((resolve) => (this.give = resolve));
  }
}

/** The events of one kind, from now until {@link stop}. */
export class Heard<Name extends EventName> {
  readonly events: EventMap[Name][] = [];
  readonly stop: () => void;
  readonly #first = new Signal<EventMap[Name]>();

  constructor(name: Name) {
    this.stop = listen(name, (event) => {
      this.events.push(event);
      this.#first.give(event);
    });
  }

  get first(): Promise<EventMap[Name]> {
    return this.#first.promise;
  }
}
