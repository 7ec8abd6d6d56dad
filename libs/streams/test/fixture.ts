import {
  type Delivery,
  deliveryPipeline,
  type DeliveryContext,
  fixed,
  Publisher,
  type RetryPolicy,
  type Subscription,
  type TopicDefinition,
  topicOf,
  type PayloadClass,
} from '@millrace/core';
import { connectRedis, type RedisConnections } from '@millrace/redis';
import { createStreams, type Streams, type StreamsOptions } from '@millrace/streams';
import type { TestRedis } from '@millrace/testing';

export const noRetry: RetryPolicy = { attempts: 1, backoff: fixed('1ms'), deadLetterOn: [] };

export interface Process {
  readonly redis: RedisConnections;
  readonly streams: Streams;
  readonly publisher: Publisher;
  /** Cuts it off from Redis as kill -9 would: no goodbye, nothing given back. Stop it all the same. */
  vanish(): void;
  stop(deadlineMs?: number): Promise<void>;
}

/** What one process of a user has: connections and streams of its own. */
export async function startProcess(server: TestRedis | string, options: Omit<StreamsOptions, 'redis'>): Promise<Process> {
  const redis = await connectRedis({ url: typeof server === 'string' ? server : server.url });
  const streams = createStreams({ redis, ...options });
  return {
    redis,
    streams,
    publisher: new Publisher(streams),
    vanish: () => redis.close(),
    stop: async (deadlineMs = 200) => {
      await streams.stop(deadlineMs);
      redis.close();
    },
  };
}

type Handle = (payload: never, context: DeliveryContext) => Promise<unknown>;

export function subscribe(
  process: Process,
  target: { topic: PayloadClass; group: string; concurrency?: number; retry?: RetryPolicy; crashLimit?: number },
  handle: Handle,
): Promise<Subscription> {
  const topic: TopicDefinition = topicOf(target.topic);
  const { group, concurrency = 16, retry = noRetry, crashLimit = 10 } = target;
  const anyHandle = handle as (payload: object, context: DeliveryContext) => Promise<unknown>;
  const handler = deliveryPipeline({ topic, group, retry, handle: anyHandle });
  return process.streams.subscribe({ topic, group, concurrency, crashLimit }, (delivery: Delivery) => handler(delivery));
}

/** A promise with its resolver outside. */
export function signal<T = void>(): { readonly promise: Promise<T>; readonly fire: (value: T) => void } {
  let fire!: (value: T) => void;
  const promise = new Promise<T>((resolve) => {
    fire = resolve;
  });
  return { promise, fire };
}
