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

/** One route a durability level and server. Waiting for a confirmation blocks a connection, so each route has its own. */
export class PublishRoutes {
  readonly #redis: Topology;
  /** With a connection of their own, by the level and by the connection for messages that need no confirmation. */
  readonly #confirmed = new Map<string, Map<RedisConnection, PublishRoute>>();

  constructor(redis: Topology) {
    this.#redis = redis;
  }

  /**
   * The route to the server that has a key.
   *
   * @throws MillraceError CLOSED
   */
  to(key: string, durability: Durability): PublishRoute {
    const shared = this.#redis.publishFor(key);
    if (durability === 'server') return { redis: shared, confirmation: null };
    const routes = this.#confirmed.get(nameOf(durability)) ?? new Map<RedisConnection, PublishRoute>();
    this.#confirmed.set(nameOf(durability), routes);
    const route = routes.get(shared) ?? this.#newRoute(key, durability);
    routes.set(shared, route);
    return route;
  }

  /** Closes the connections that it opened. */
  close(): void {
    const opened = [...this.#confirmed.values()].flatMap((routes) => [...routes.values()]);
    for (const { redis } of opened) redis.close();
  }

  #newRoute(key: string, durability: Confirmed): PublishRoute {
    const { timeoutMs, kind } = durability;
    const { server } = this.#redis;
    const confirmation = kind === 'replicated' ? new ReplicaConfirmation(durability) : new FsyncConfirmation(timeoutMs, server);
    return { redis: this.#redis.blockingFor(key, `publish:${nameOf(durability)}`), confirmation };
  }
}

/** Levels with the same name are the same. */
export function nameOf(durability: Durability): string {
  if (durability === 'server') return 'server';
  const { kind, timeoutMs } = durability;
  return kind === 'replicated' ? `${kind}-${durability.replicas}-${timeoutMs}ms` : `${kind}-${timeoutMs}ms`;
}
