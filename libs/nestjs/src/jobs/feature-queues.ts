import { BullModule, getSharedConfigToken } from '@nestjs/bullmq';
import type { DynamicModule, FactoryProvider } from '@nestjs/common';
import { bullConnection, bullPrefix } from '@millrace/jobs';
import { isClusterClient } from '@millrace/redis';
import type { Settings } from '../config/settings.js';
import { SETTINGS } from '../module/tokens.js';

/** The key of our connection, which no application uses, so that its own `BullModule.forRoot` stays unchanged. */
const CONFIG_KEY = '@millrace/nestjs';

/** The place of our queues. */
export interface QueueConfiguration {
  readonly connection: object;
  readonly prefix: string;
}

/** BullMQ blocks for 10 seconds, and a `@Processor` on a queue of ours takes over the options of the queue. */
const SOCKET_TIMEOUT_MS = 12_000;

/**
 * Makes our queues connect when the application starts, once Redis is known to be there. By default BullMQ connects when the
 * object is made, and nobody would close it if the application then failed to start.
 */
export const queueConfiguration: FactoryProvider = {
  provide: getSharedConfigToken(CONFIG_KEY),
  inject: [SETTINGS],
  useFactory: ({ redis, prefix }: Settings) => ({
    // Read for each queue: each has a client of its own where Redis is a Cluster.
    get connection() {
      const connection = bullConnection(redis, 'queue');
      return isClusterClient(connection) ? connection : { ...connection, lazyConnect: true, socketTimeout: SOCKET_TIMEOUT_MS };
    },
    prefix: bullPrefix(prefix),
    skipWaitingForReady: true,
    skipVersionCheck: true,
    skipMetasUpdate: true,
  }),
};

const modules = new Map<string, DynamicModule>();

/** The module of one queue: the same object each time, so that Nest makes one queue of it however often it is imported. */
export function queueModule(name: string): DynamicModule {
  const known = modules.get(name);
  if (known) return known;
  const made = BullModule.registerQueue({ name, configKey: CONFIG_KEY });
  modules.set(name, made);
  return made;
}
