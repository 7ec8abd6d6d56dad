import type { Durability } from '@millrace/core';
import type { RedisConnection, RedisConnections } from '@millrace/redis';
import { type Confirmation, FsyncConfirmation, ReplicaConfirmation } from './confirmation.js';

/** How messages of one durability level get to Redis. */
export interface PublishRoute {
  readonly redis: RedisConnection;
  /** Null: an answer of Redis is enough. */
  readonly confirmation: Confirmation | null;
}

/** One route a durability level. Waiting for a confirmation blocks a connection, so each level has its own connection. */
export class PublishRoutes {
  readonly #redis: RedisConnections;
  readonly #routes = new Map<string, PublishRoute>();

  constructor(redis: RedisConnections) {
    this.#redis = redis;
  }

  /** @throws MillraceError CLOSED */
  to(durability: Durability): PublishRoute {
    const name = nameOf(durability);
    const route = this.#routes.get(name) ?? this.#newRoute(durability, name);
    this.#routes.set(name, route);
    return route;
  }

  /** Closes the connections that it opened. */
  close(): void {
    for (const { redis } of this.#routes.values()) if (redis !== this.#redis.publish) redis.close();
  }

  #newRoute(durability: Durability, name: string): PublishRoute {
    if (durability === 'server') return { redis: this.#redis.publish, confirmation: null };
    const { timeoutMs, kind } = durability;
    const confirmation = kind === 'replicated' ? new ReplicaConfirmation(durability) : new FsyncConfirmation(timeoutMs, this.#redis.server.version);
    return { redis: this.#redis.blocking(`publish:${name}`), confirmation };
  }
}

/** Levels with the same name are the same. */
export function nameOf(durability: Durability): string {
  if (durability === 'server') return 'server';
  const { kind, timeoutMs } = durability;
  return kind === 'replicated' ? `${kind}-${durability.replicas}-${timeoutMs}ms` : `${kind}-${timeoutMs}ms`;
}
