import { type Admin, createAdmin } from '@millrace/admin';
import { deliveryPipeline, fixed, Forwarding, Publisher, type Subscription, topicOf } from '@millrace/core';
import { connectServer, type StandaloneTopology } from '@millrace/redis';
import { createStreams, type Streams } from '@millrace/streams';
import { topicsOf } from '../contenders/millrace.js';
import { order } from '../order.js';
import { startRedis } from '../servers/own-redis.js';
import type { BenchServer } from '../servers/server.js';
import type { Stage } from '../stage.js';
import { RedisProbe } from './redis-probe.js';

const PREFIX = 'bench';
const LEASE_MS = 1_000;
const BYTES = 200;
const MANY = 4_096;
/** One message in so many becomes a dead letter. */
const FAILING = 50;
const POLL_MS = 200;
const [TOPIC] = topicsOf({}) as [ReturnType<typeof topicsOf>[number]];

/** A topic of one partition with very many messages: a group is done with all, with dead letters; another has read none. */
export class OperatedTopic {
  readonly topic = topicOf(TOPIC).name;
  readonly done = { topic: this.topic, group: 'done' };
  readonly probe: RedisProbe;
  readonly admin: Admin;
  /** When a quarter of the messages was there. */
  quarter = new Date();
  readonly #server: BenchServer;
  readonly #redis: StandaloneTopology;
  readonly #streams: Streams;
  readonly #stage: Stage;

  private constructor(stage: Stage, server: BenchServer, redis: StandaloneTopology, packed: boolean) {
    this.#stage = stage;
    this.#server = server;
    this.#redis = redis;
    this.#streams = createStreams({ redis, prefix: PREFIX, leaseMs: LEASE_MS, messagesPerEntry: packed ? 16 : 1 });
    this.admin = createAdmin({ redis, prefix: PREFIX, streams: this.#streams });
    this.probe = new RedisProbe(server, stage);
  }

  static async open(stage: Stage, packed: boolean): Promise<OperatedTopic> {
    const server = await startRedis();
    if (!server) throw new Error('No redis-server or valkey-server is on the PATH.');
    const topic = new OperatedTopic(stage, server, await connectServer({ url: server.url }), packed);
    try {
      await topic.#handle();
      return topic;
    } catch (error) {
      await topic.close();
      throw error;
    }
  }

  get middle(): number {
    return Math.floor(this.#stage.options.growth / 2);
  }

  async fill(): Promise<void> {
    const { growth } = this.#stage.options;
    const publisher = new Publisher(this.#streams);
    for (let from = 0; from < growth; from += MANY) {
      const count = Math.min(MANY, growth - from);
      const orders = Array.from({ length: count }, (_, index) => ({ payload: order(from + index, BYTES) }));
      await publisher.publishMany(TOPIC, orders);
      if (from < growth / 4) this.quarter = new Date();
    }
  }

  async close(): Promise<void> {
    this.probe.close();
    await this.#streams.stop(LEASE_MS);
    this.#redis.close();
    await this.#server.stop();
  }

  /** Fills the topic, has one group handle it, and leaves no member. */
  async #handle(): Promise<void> {
    await (await this.#subscribe('behind')).stop(LEASE_MS);
    const done = await this.#subscribe('done');
    await this.fill();
    const lag = async (): Promise<number> => (await this.#streams.inspector.group(TOPIC, 'done')).lag;
    while ((await lag()) > 0) await this.#stage.pause(POLL_MS);
    await done.stop(LEASE_MS);
  }

  #subscribe(group: string): Promise<Subscription> {
    const topic = topicOf(TOPIC);
    let count = 0;
    const handle = (): Promise<void> => {
      count += 1;
      return count % FAILING === 0 ? Promise.reject(new Error('this order fails')) : Promise.resolve();
    };
    const retry = { attempts: 1, backoff: fixed('1ms'), deadLetterOn: [] };
    const forwarding = new Forwarding({ jobs: undefined });
    const handler = deliveryPipeline({ topic, group, retry, timeoutMs: null, handle, forwarding });
    const limits = { concurrency: 256, crashLimit: 10, unknownForMs: 0, start: 'earliest' } as const;
    return this.#streams.subscribe({ topic, group, ...limits }, handler);
  }
}
