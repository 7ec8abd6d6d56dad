import type { INestApplicationContext, LoggerService, ModuleMetadata } from '@nestjs/common';
import { Test, type TestingModuleBuilder } from '@nestjs/testing';
import { connectServer, type StandaloneTopology, withDeadline } from '@millrace/redis';
import { startTestRedis, type TestRedis, waitFor } from '@millrace/testing';
import { IsInt, IsString } from 'class-validator';
import { fixed, Job, MillraceError, MillraceModule, type MillraceOptions, Topic } from '@millrace/nestjs';

@Topic('shop.orders.placed')
export class OrderPlaced {
  @IsString() orderId!: string;
  @IsInt() amount!: number;
}

@Topic('shop.orders.cancelled')
export class OrderCancelled {
  @IsString() orderId!: string;
}

@Job('send-confirmation', { queue: 'emails', attempts: 3, backoff: fixed('1ms') })
export class SendConfirmation {
  @IsString() orderId!: string;
}

/** Retries at once, so that tests wait for attempts and not for clocks. */
export const atOnce = { attempts: 3, backoff: fixed('1ms') };

/** The options as a plain object. */
type Options = Pick<MillraceOptions, keyof MillraceOptions>;

/** Applications on one Redis, closed together with it. */
export class Bench {
  readonly redis: TestRedis;
  readonly #open = new Set<INestApplicationContext>();
  #prefixes = 0;

  readonly #own: StandaloneTopology;

  private constructor(redis: TestRedis, own: StandaloneTopology) {
    this.redis = redis;
    this.#own = own;
  }

  static async start(): Promise<Bench> {
    const redis = await startTestRedis();
    return new Bench(redis, await connectServer({ url: redis.url, name: 'bench' }));
  }

  /** A prefix of its own, so that tests do not meet in Redis. */
  prefix(): string {
    this.#prefixes += 1;
    return `test${this.#prefixes}`;
  }

  module(options: Options = {}): ReturnType<typeof MillraceModule.forRoot> {
    return MillraceModule.forRoot({ redis: this.redis.url, prefix: this.prefix(), shutdownTimeout: '5s', ...options });
  }

  /** Starts an application with Millrace in it. */
  async app(metadata: ModuleMetadata, options: Options = {}): Promise<INestApplicationContext> {
    return this.start(this.builder(metadata, options));
  }

  builder(metadata: ModuleMetadata, options: Options = {}): TestingModuleBuilder {
    const { imports = [], providers = [], controllers = [] } = metadata;
    return Test.createTestingModule({ imports: [...imports, this.module(options)], providers, controllers });
  }

  async start(builder: TestingModuleBuilder, logger: LoggerService | false = false): Promise<INestApplicationContext> {
    const app = await builder.compile();
    this.#open.add(app);
    app.useLogger(logger);
    await app.init();
    return app;
  }

  async closeApps(): Promise<void> {
    const apps = [...this.#open];
    this.#open.clear();
    await Promise.all(apps.map((app) => app.close()));
  }

  /** How many connections Redis has beside those of the bench. */
  async connections(): Promise<number> {
    const list = String(await this.#own.control.call('CLIENT', 'LIST', 'TYPE', 'NORMAL'));
    return list.trim().split('\n').filter((line) => !line.includes(' name=bench:')).length;
  }

  /** Resolves when nobody is connected any more: Redis notices a moment later than who closed. */
  async deserted(): Promise<void> {
    await waitFor(async () => (await this.connections()) === 0, { what: 'every connection to be closed' });
  }

  async stop(): Promise<void> {
    await this.closeApps();
    this.#own.close();
    await this.redis.stop();
  }
}

/** The events of a test, in order, and a way to wait for them. */
export class Journal<T = string> {
  readonly entries: T[] = [];
  #waiting: { count: number; resolve: (entries: T[]) => void }[] = [];

  add(entry: T): void {
    this.entries.push(entry);
    const due = this.#waiting.filter(({ count }) => this.entries.length >= count);
    this.#waiting = this.#waiting.filter(({ count }) => this.entries.length < count);
    for (const { resolve } of due) resolve([...this.entries]);
  }

  /** Resolves when there are `count` entries; rejects when they do not come in 30 seconds, before the test is over. */
  has(count: number): Promise<T[]> {
    if (this.entries.length >= count) return Promise.resolve([...this.entries]);
    const filled = new Promise<T[]>((resolve) => this.#waiting.push({ count, resolve }));
    const tooLate = (): Error => new Error(`The journal has ${this.entries.length} entries, and not ${count}: ${this.entries.join()}`);
    return withDeadline(filled, 30_000, tooLate);
  }
}

/** The MillraceError that `work` ends in. */
export async function failureOf(work: Promise<unknown>): Promise<MillraceError> {
  const thrown: unknown = await work.then(() => null, (error: unknown) => error);
  if (thrown instanceof MillraceError) return thrown;
  throw new Error(`no MillraceError, but ${String(thrown)}`, { cause: thrown });
}
