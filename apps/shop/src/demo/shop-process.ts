import { Inspector, JobQueue, type MillraceOptions } from '@millrace/nestjs';
import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { OrderPlacement } from '../placement/order-placement.js';
import { ShopModule } from '../shop.module.js';
import { StderrLogger } from '../stderr-logger.js';
import type { Cleanup } from './cleanup.js';
import type { Surroundings } from './surroundings.js';

/** How long the handlers of a vanished process keep their messages: short, so that a demo shows the recovery. */
const LEASE = '3s';
/** How long handlers at work may take at the end; the demo waits a little longer for its workers. */
const SHUTDOWN_TIMEOUT = '8s';

/** The shop in this process: it places orders, and runs the handlers unless worker processes do. */
export class ShopProcess {
  readonly #context: INestApplicationContext;

  private constructor(context: INestApplicationContext) {
    this.#context = context;
  }

  static async start(surroundings: Surroundings, handlers: 'all' | 'none', cleanup: Cleanup): Promise<ShopProcess> {
    const { redisUrl, databaseUrl, prefix } = surroundings;
    const times = { lease: LEASE, shutdownTimeout: SHUTDOWN_TIMEOUT } as const;
    const options: MillraceOptions = { redis: redisUrl, database: databaseUrl, prefix, handlers, ...times };
    const context = await NestFactory.createApplicationContext(ShopModule.with(options), {
      logger: new StderrLogger(),
      abortOnError: false,
    });
    cleanup.add('close the shop', () => context.close());
    return new ShopProcess(context);
  }

  get placement(): OrderPlacement {
    return this.#context.get(OrderPlacement, { strict: false });
  }

  get inspector(): Inspector {
    return this.#context.get(Inspector, { strict: false });
  }

  get jobs(): JobQueue {
    return this.#context.get(JobQueue, { strict: false });
  }
}

/** The environment of a worker process of the shop, with no other variable of Millrace. */
export function workerEnvironment({ redisUrl, databaseUrl, prefix }: Surroundings): NodeJS.ProcessEnv {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('MILLRACE_'));
  return {
    ...Object.fromEntries(inherited),
    REDIS_URL: redisUrl,
    DATABASE_URL: databaseUrl,
    MILLRACE_PREFIX: prefix,
    MILLRACE_LEASE: LEASE,
    MILLRACE_SHUTDOWN_TIMEOUT: SHUTDOWN_TIMEOUT,
  };
}
