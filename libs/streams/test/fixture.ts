import {
  type BreakerRule,
  type DeadLetterBounds,
  deliveryPipeline,
  type DeliveryContext,
  type Durability,
  fixed,
  type ForwardedJobs,
  Forwarding,
  type Ordering,
  type PartitionListeners,
  type Position,
  Publisher,
  type RateLimit,
  type RetryPolicy,
  type Prefilter,
  type Subscription,
  type TopicDefinition,
  topicOf,
  type PayloadClass,
} from '@millrace/core';
import { connectRedis, connectServer, type RedisConnectOptions, type StandaloneTopology, type Topology } from '@millrace/redis';
import { createStreams, type Streams, type StreamsOptions } from '@millrace/streams';
import type { TestRedis } from '@millrace/testing';

export const noRetry: RetryPolicy = { attempts: 1, backoff: fixed('1ms'), deadLetterOn: [] };

export interface Process<Redis extends Topology = StandaloneTopology> {
  readonly redis: Redis;
  readonly streams: Streams;
  readonly publisher: Publisher;
  /** Cuts the process off from Redis as kill -9 would: it puts no message back. Stop it all the same. */
  vanish(): void;
  stop(deadlineMs?: number): Promise<void>;
}

/** Connections and streams, as one process of a user has them. */
export async function startProcess(server: TestRedis | string, options: Omit<StreamsOptions, 'redis'>): Promise<Process> {
  return processOn(await connectServer({ url: typeof server === 'string' ? server : server.url }), options);
}

/** The same, whichever way Redis is set up. */
export async function startProcessAt(target: RedisConnectOptions, options: Omit<StreamsOptions, 'redis'>): Promise<Process<Topology>> {
  return processOn(await connectRedis(target), options);
}

/** The same, on connections of the caller. */
export function processOn<Redis extends Topology>(redis: Redis, options: Omit<StreamsOptions, 'redis'>): Process<Redis> {
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

export { silence } from '@millrace/testing';

type Handle = (payload: never, context: DeliveryContext) => Promise<unknown>;

interface Target extends PartitionListeners {
  readonly topic: PayloadClass;
  readonly group: string;
  readonly concurrency?: number;
  readonly retry?: RetryPolicy;
  readonly crashLimit?: number;
  readonly durability?: Durability;
  readonly timeoutMs?: number;
  readonly prefilter?: Prefilter;
  readonly unknownForMs?: number;
  readonly start?: Position;
  readonly ordering?: Ordering;
  readonly rateLimit?: RateLimit;
  readonly deadLetters?: DeadLetterBounds;
  readonly breaker?: BreakerRule;
  readonly forwardedJobs?: ForwardedJobs;
}

export function subscribe(process: Pick<Process, 'streams'>, target: Target, handle: Handle): Promise<Subscription> {
  const topic: TopicDefinition = topicOf(target.topic);
  const { group, concurrency = 16, retry = noRetry, crashLimit = 10, timeoutMs = null, unknownForMs = 0 } = target;
  const { start = 'earliest', ordering, onAssigned, onRevoked, forwardedJobs } = target;
  const { durability, prefilter, rateLimit, deadLetters, breaker } = target;
  const anyHandle = handle as (payload: object, context: DeliveryContext) => Promise<unknown>;
  const forwarding = new Forwarding({ jobs: forwardedJobs });
  const handler = deliveryPipeline({ topic, group, retry, timeoutMs, handle: anyHandle, forwarding });
  const definition = { topic, group, concurrency, crashLimit, unknownForMs, start };
  const optional = { durability, prefilter, rateLimit, deadLetters, breaker, forwardedJobs };
  const listeners = ordering ? { ordering, onAssigned, onRevoked } : {};
  return process.streams.subscribe({ ...definition, ...optional, ...listeners }, handler);
}

/** A promise with its resolver. */
export function signal<T = void>(): { readonly promise: Promise<T>; readonly fire: (value: T) => void } {
  let fire!: (value: T) => void;
  const promise = new Promise<T>((resolve) => {
    fire = resolve;
  });
  return { promise, fire };
}
