import { Inspector, JobQueue, type MillraceOptions, Outbox } from '@millrace/nestjs';
import type { INestApplicationContext } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { OrderPlacement } from '../placement/order-placement.js';
import { OUTBOX, ShopModule } from '../shop.module.js';
import { StderrLogger } from '../stderr-logger.js';
import { ORDERED } from '../worker-message.js';
import type { Cleanup } from './cleanup.js';
import { GROUPS, QUEUE } from './observer.js';
import type { ProcessKind } from './process-kind.js';
import type { Surroundings } from './surroundings.js';

/** How long the handlers of a vanished process keep their messages: short, so that a demo shows the recovery. */
const LEASE = '3s';
/** How long handlers at work may take at the end; the demo waits a little longer for its workers. */
const SHUTDOWN_TIMEOUT = '8s';

/** The part of the shop that a process of a kind runs, as its variables. Workers publish what the checkout stored. */
const PARTS: Readonly<Record<ProcessKind, NodeJS.ProcessEnv>> = {
  worker: { MILLRACE_GROUPS: Object.keys(GROUPS).join(), MILLRACE_QUEUES: QUEUE, MILLRACE_OUTBOX: '1' },
  checkout: { MILLRACE_SERVICES: 'checkout', MILLRACE_OUTBOX: '0' },
  payments: { MILLRACE_SERVICES: 'payments', MILLRACE_OUTBOX: '0' },
};

export interface ShopSettings {
  readonly surroundings: Surroundings;
  /** Whether the orders of each customer are handled one after the other. */
  readonly ordered: boolean;
}

/** The shop in this process: it places orders, and runs the handlers unless worker processes do. */
export class ShopProcess {
  readonly #context: INestApplicationContext;

  private constructor(context: INestApplicationContext) {
    this.#context = context;
  }

  static async start({ surroundings, ordered }: ShopSettings, handlers: 'all' | 'none', cleanup: Cleanup): Promise<ShopProcess> {
    const { redis, databaseUrl, prefix } = surroundings;
    const times = { lease: LEASE, shutdownTimeout: SHUTDOWN_TIMEOUT } as const;
    const outbox = { ...OUTBOX, relay: handlers === 'all' };
    const options: MillraceOptions = { redis: redis.option, database: databaseUrl, prefix, handlers, outbox, ...times };
    const context = await NestFactory.createApplicationContext(ShopModule.with(options, ordered), {
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

  get outbox(): Outbox {
    return this.#context.get(Outbox, { strict: false });
  }

  get jobs(): JobQueue {
    return this.#context.get(JobQueue, { strict: false });
  }
}

/** The environment of a process of a kind, with no other variable of Millrace or Redis. */
export function workerEnvironment({ surroundings, ordered }: ShopSettings, kind: ProcessKind): NodeJS.ProcessEnv {
  const { redis, databaseUrl, prefix } = surroundings;
  const inherited = Object.entries(process.env).filter(([name]) => !/^(MILLRACE|REDIS)_/.test(name) && name !== ORDERED);
  return {
    ...Object.fromEntries(inherited),
    ...redis.variables,
    DATABASE_URL: databaseUrl,
    MILLRACE_PREFIX: prefix,
    MILLRACE_LEASE: LEASE,
    MILLRACE_SHUTDOWN_TIMEOUT: SHUTDOWN_TIMEOUT,
    ...PARTS[kind],
    ...(ordered ? { [ORDERED]: 'yes' } : {}),
  };
}
