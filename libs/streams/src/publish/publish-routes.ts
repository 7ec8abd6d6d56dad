import type { Durability } from '@millrace/core';
import type { RedisConnection, Topology } from '@millrace/redis';
import { type Confirmation, FsyncConfirmation, ReplicaConfirmation } from './confirmation.js';

/** How messages of one durability level get to Redis. */
export interface PublishRoute {
  readonly redis: RedisConnection;
  /** Null: an answer of Redis is enough. */
  readonly confirmation: Confirmation | null;
}

type Confirmed = Exclude<Durability, 'server'>;

/** One route a durability level and server. Waiting for a confirmation blocks a connection, so each level has its own. */
export class PublishRoutes {
  readonly #redis: Topology;
  /** Those that need a confirmation, by the connection. */
  readonly #confirmed = new Map<RedisConnection, PublishRoute>();

  constructor(redis: Topology) {
    this.#redis = redis;
  }

  /**
   * The route to the server that has a key.
   *
   * @throws MillraceError CLOSED
   */
  to(key: string, durability: Durability): PublishRoute {
    if (durability === 'server') return { redis: this.#redis.publishFor(key), confirmation: null };
    const redis = this.#redis.waitingFor(key, `publish:${nameOf(durability)}`);
    const route = this.#confirmed.get(redis) ?? { redis, confirmation: this.#confirmationOf(durability) };
    this.#confirmed.set(redis, route);
    return route;
  }

  #confirmationOf(durability: Confirmed): Confirmation {
    if (durability.kind === 'replicated') return new ReplicaConfirmation(durability);
    return new FsyncConfirmation(durability.timeoutMs, this.#redis.server);
  }
}

/** Levels with the same name are the same. */
export function nameOf(durability: Durability): string {
  if (durability === 'server') return 'server';
  const { kind, timeoutMs } = durability;
  return kind === 'replicated' ? `${kind}-${durability.replicas}-${timeoutMs}ms` : `${kind}-${timeoutMs}ms`;
}
