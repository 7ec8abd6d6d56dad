import { afterAll, afterEach, beforeAll } from '@jest/globals';
import { MillraceModule, type MillraceOptions } from '@millrace/nestjs';
import { connectServer, type RedisArgument, type StandaloneTopology } from '@millrace/redis';
import { startTestRedis, type TestRedis, uniqueName } from '@millrace/testing';
import { type INestApplication, type LoggerService, Module, type ModuleMetadata, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import type { ServerOptions } from '../src/server-options.js';
import { startServer } from '../src/start-server.js';
import { ADAPTERS, ALONE, type Answer, send, type Sent, SILENT } from './fixture.js';

export interface StartOptions {
  /** One of {@link ADAPTERS}. Default Express. */
  readonly adapter?: string;
  /** Called before it listens. */
  readonly prepare?: (app: INestApplication) => void;
}

/** A Redis for the tests of a file, and an application for each of them, which is closed behind it. */
export class ServerBed {
  /** That of the application that was made last. */
  prefix = '';
  readonly #name: string;
  #redis!: TestRedis;
  #direct!: StandaloneTopology;
  #app: INestApplication | undefined;

  constructor(name: string) {
    this.#name = name;
    beforeAll(async () => {
      this.#redis = await startTestRedis();
      this.#direct = await connectServer({ url: this.#redis.url, name: 'spec' });
    });
    afterAll(async () => {
      this.#direct.close();
      await this.#redis.stop();
    });
    afterEach(async () => {
      await this.#app?.close();
      this.#app = undefined;
    });
  }

  /** The application that was started last. */
  get app(): INestApplication {
    return this.#app!;
  }

  /** An application with a place of its own in Redis. */
  module({ imports = [], ...parts }: ModuleMetadata = {}, options: Partial<MillraceOptions> = {}): Type {
    this.prefix = uniqueName(this.#name);
    const root = MillraceModule.forRoot({ redis: this.#redis.url, prefix: this.prefix, ...options });
    @Module({ ...parts, imports: [root, ...imports] })
    class AppModule {}
    return AppModule;
  }

  async start(root: Type, { adapter = 'Express', prepare }: StartOptions = {}): Promise<void> {
    const app = await NestFactory.create(root, ADAPTERS[adapter]!(), { logger: false, abortOnError: false });
    prepare?.(app);
    await this.listen(app);
  }

  async listen(app: INestApplication): Promise<void> {
    this.#app = app;
    await app.listen(0, '127.0.0.1');
  }

  /** Starts the server alone beside an application. */
  async startAlone(root: Type, options: Partial<ServerOptions> = {}, logger: LoggerService = SILENT): Promise<void> {
    this.#app = await startServer(root, { ...ALONE, ...options }, logger);
  }

  get redis(): TestRedis {
    return this.#redis;
  }

  /** One command to Redis, past the tested code. */
  command(name: string, ...args: RedisArgument[]): Promise<unknown> {
    return this.#direct.control.call(name, ...args);
  }

  send(path: string, sent?: Sent): Promise<Answer> {
    return send(this.app, path, sent);
  }
}
