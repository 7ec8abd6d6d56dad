import { afterAll, afterEach, beforeAll, beforeEach } from '@jest/globals';
import { type Admin, createAdmin } from '@millrace/admin';
import {
  deliveryPipeline, type DeliveryContext, fixed, Forwarding, type PayloadClass, Publisher, type RetryPolicy, type Subscription,
  type SubscriptionDefinition, topicOf,
} from '@millrace/core';
import { connectServer, type RedisArgument, type StandaloneTopology } from '@millrace/redis';
import { createStreams, type Streams, type StreamsOptions } from '@millrace/streams';
import { Redis } from 'ioredis';
import { startTestRedis, type TestRedis, uniqueName, waitFor } from '@millrace/testing';

const noRetry: RetryPolicy = { attempts: 1, backoff: fixed('1ms'), deadLetterOn: [] };

type Handle = (payload: never, context: DeliveryContext) => Promise<unknown>;

interface Target {
  readonly topic: PayloadClass;
  readonly group: string;
}

type Behaviour = Partial<Pick<SubscriptionDefinition, 'ordering' | 'start'>> & { readonly retry?: RetryPolicy };

/** A process of the application. */
export interface Application {
  readonly streams: Streams;
  readonly publisher: Publisher;
}

/** A Redis server with an application and an operator, who have connections of their own and nothing else in common. */
export class AdminBed {
  prefix = '';
  admin!: Admin;
  application!: Application;
  server!: TestRedis;
  #redis!: StandaloneTopology;
  #open: { stop(): Promise<void> }[] = [];

  /** Call it where `describe` is called: it registers hooks. */
  constructor(name: string) {
    beforeAll(async () => {
      this.server = await startTestRedis();
      this.#redis = await connectServer({ url: this.server.url, name: 'spec' });
    });
    beforeEach(async () => {
      this.prefix = uniqueName(name);
      const { streams } = await this.start();
      this.application = { streams, publisher: new Publisher(streams) };
      this.admin = await this.operator();
    });
    afterEach(async () => {
      await Promise.all(this.#open.splice(0).map((one) => one.stop()));
    });
    afterAll(async () => {
      this.#redis.close();
      await this.server.stop();
    });
  }

  /** An admin as another process has it. */
  async operator(): Promise<Admin> {
    return createAdmin({ ...(await this.start()), prefix: this.prefix });
  }

  /** A publisher that packs 16 messages into an entry. */
  async packer(): Promise<Publisher> {
    return new Publisher((await this.start({ messagesPerEntry: 16 })).streams);
  }

  /** One command to Redis, past the tested code. */
  command(name: string, ...args: RedisArgument[]): Promise<unknown> {
    return this.#redis.control.call(name, ...args);
  }

  /** The commands that Redis executed during some work, those of scripts included, in small letters. */
  async commandsOf(work: () => Promise<unknown>): Promise<string[][]> {
    const client = new Redis(this.server.url);
    const monitor = await client.monitor();
    const heard: string[][] = [];
    monitor.on('monitor', (_time: string, args: string[]) => heard.push([args[0]!.toLowerCase(), ...args.slice(1)]));
    await work();
    const end = uniqueName('end');
    await this.command('ECHO', end);
    await waitFor(() => heard.some(([, text]) => text === end), { what: 'the end of the commands' });
    monitor.disconnect();
    client.disconnect();
    return heard;
  }

  /** The key of a partition. */
  key(topic: string, rest: string, partition = 0): string {
    return `${this.prefix}:{${topic}:${partition}}:${rest}`;
  }

  /** Subscribes a group that shares its messages, from the earliest on, and tries each once, unless more is said. */
  subscribe({ topic, group }: Target, handle: Handle, { retry = noRetry, ...more }: Behaviour = {}): Promise<Subscription> {
    const definition = topicOf(topic);
    const anyHandle = handle as (payload: object, context: DeliveryContext) => Promise<unknown>;
    const parts = { retry, timeoutMs: null, handle: anyHandle, forwarding: new Forwarding({ jobs: undefined }) };
    const handler = deliveryPipeline({ topic: definition, group, ...parts });
    const limits = { concurrency: 16, crashLimit: 10, unknownForMs: 0, start: 'earliest' } as const;
    return this.application.streams.subscribe({ topic: definition, group, ...limits, ...more }, handler);
  }

  /** Resolves when the group has no message left. */
  drained({ topic, group }: Target): Promise<unknown> {
    const isIdle = async (): Promise<boolean> => {
      const { lag, pending, retrying } = await this.application.streams.inspector.group(topic, group);
      return lag + pending + retrying === 0;
    };
    return waitFor(isIdle, { what: `${group} to have nothing left to do` });
  }

  private async start(more: Partial<StreamsOptions> = {}): Promise<{ redis: StandaloneTopology; streams: Streams }> {
    const redis = await connectServer({ url: this.server.url });
    const streams = createStreams({ redis, prefix: this.prefix, leaseMs: 600, ...more });
    const stop = async (): Promise<void> => {
      await streams.stop(500);
      redis.close();
    };
    this.#open.push({ stop });
    return { redis, streams };
  }
}

/** The confirmation that a dry run returned. */
export function confirmationIn(dry: { readonly dryRun: boolean }): string {
  return (dry as unknown as { confirmation: string }).confirmation;
}
