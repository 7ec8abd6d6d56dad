import { type INestMicroservice, Module, type ModuleMetadata, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { EventPattern as NestEventPattern } from '@nestjs/microservices';
import { startTestRedis, type TestRedis, type TestRedisOptions } from '@millrace/testing';
import { fixed, MillraceClient, type MillraceClientOptions, MillraceServer, type MillraceServerOptions, type MillraceUnwrapped } from '@millrace/nestjs';

/** Nest's decorator. Where the compiler checks all, its type for a text as the pattern fits no method with a typed `@Ctx()`. */
export const EventPattern: (pattern: unknown, extras?: object) => MethodDecorator = NestEventPattern;

type ServerOptions = Partial<Pick<MillraceServerOptions, keyof MillraceServerOptions>>;

/** Real Nest microservices on one Redis, closed together with it. */
export class TransportBench {
  readonly redis: TestRedis;
  readonly #open = new Set<{ close: () => unknown }>();
  #prefixes = 0;
  prefix = '';

  private constructor(redis: TestRedis) {
    this.redis = redis;
  }

  static async start(options: TestRedisOptions = {}): Promise<TransportBench> {
    return new TransportBench(await startTestRedis(options));
  }

  /** A prefix of its own, so that tests do not meet in Redis. */
  begin(): void {
    this.#prefixes += 1;
    this.prefix = `nest${this.#prefixes}`;
  }

  /** Where servers and clients of this test connect to. */
  get place(): { redis: string; prefix: string; shutdownTimeout: '5s' } {
    return { redis: this.redis.url, prefix: this.prefix, shutdownTimeout: '5s' };
  }

  server(options: ServerOptions = {}): MillraceServer {
    return new MillraceServer({ service: 'shop', retry: { attempts: 3, backoff: fixed('1ms') }, ...this.place, ...options });
  }

  client(options: MillraceClientOptions = {}): MillraceClient {
    return this.keep(new MillraceClient({ service: 'shop', ...this.place, ...options }));
  }

  async microservice(metadata: ModuleMetadata, options: ServerOptions = {}): Promise<INestMicroservice> {
    const app = await NestFactory.createMicroservice(moduleOf(metadata), { strategy: this.server(options), logger: false });
    this.keep(app);
    return app;
  }

  /** A microservice with these controllers that listens. */
  async listening(controllers: Type[], options: ServerOptions = {}): Promise<INestMicroservice> {
    const app = await this.microservice({ controllers }, options);
    await app.listen();
    return app;
  }

  keep<T extends { close: () => unknown }>(opened: T): T {
    this.#open.add(opened);
    return opened;
  }

  async closeAll(): Promise<void> {
    const opened = [...this.#open];
    this.#open.clear();
    await Promise.all(opened.map((each) => each.close()));
  }

  async stop(): Promise<void> {
    await this.closeAll();
    await this.redis.stop();
  }
}

export function moduleOf(metadata: ModuleMetadata): Type {
  class Application {}
  Module(metadata)(Application);
  return Application;
}

/** The tools of operators on the connections of a microservice. */
export function toolsOf(app: INestMicroservice): MillraceUnwrapped {
  return app.unwrap<MillraceUnwrapped>();
}
