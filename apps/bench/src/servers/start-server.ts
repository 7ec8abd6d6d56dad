import { startNats } from './own-nats.js';
import { startRedis } from './own-redis.js';
import { findRabbit } from './running-rabbit.js';
import type { BenchServer, ServerKind } from './server.js';

/** Advice on installing a missing server. */
export const MISSING: Readonly<Record<ServerKind, string>> = {
  redis: 'no redis-server or valkey-server is on the PATH',
  nats: 'no nats-server is on the PATH',
  rabbitmq: 'no RabbitMQ answers at AMQP_URL (default amqp://127.0.0.1:5672) on this machine',
};

/** Null when this machine has none. */
export function startServer(kind: ServerKind): Promise<BenchServer | null> {
  switch (kind) {
    case 'redis':
      return startRedis();
    case 'nats':
      return startNats();
    case 'rabbitmq':
      return findRabbit();
  }
}
