import { type INestApplication, type INestMicroservice, type ModuleMetadata } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { ClientsModule, type MicroserviceOptions } from '@nestjs/microservices';
import { Authority, freePort, startTestRedis, type TestRedis } from '@millrace/testing';
import { MillraceClient, MillraceServer } from '@millrace/nestjs';
import { moduleOf } from '../fixture.js';

/** An answer over HTTP. */
export interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Applications as users of Nest write them, on one Redis that the environment names as it does in production. */
export class ScenarioBench {
  readonly redis: TestRedis;
  readonly #authority: Authority | null;
  readonly #open: { close: () => Promise<unknown> }[] = [];

  private constructor(redis: TestRedis, authority: Authority | null) {
    this.redis = redis;
    this.#authority = authority;
  }

  static async start(): Promise<ScenarioBench> {
    const redis = await startTestRedis();
    process.env.REDIS_URL = redis.url;
    return new ScenarioBench(redis, null);
  }

  /** All connections are encrypted, and the certificate of Redis is signed by an authority of its own. */
  static async startEncrypted(): Promise<ScenarioBench> {
    const authority = new Authority();
    const { cert, key } = authority.sign('server', 'IP:127.0.0.1');
    const port = String(await freePort());
    const files = ['--tls-cert-file', cert, '--tls-key-file', key, '--tls-ca-cert-file', authority.ca, '--tls-auth-clients', 'no'];
    const redis = await startTestRedis({ extra: ['--tls-port', port, ...files] });
    Object.assign(process.env, { REDIS_URL: `rediss://127.0.0.1:${port}`, MILLRACE_REDIS_CA: authority.ca });
    return new ScenarioBench(redis, authority);
  }

  /** The module of a client of the service `adder`, under the name `ADDER`. */
  client(): ReturnType<typeof ClientsModule.register> {
    return ClientsModule.register([{ name: 'ADDER', customClass: MillraceClient, options: { service: 'adder' } }]);
  }

  /** An HTTP application that is the microservice `adder` too; `configure` gets that before its handlers are registered. */
  async hybrid(metadata: ModuleMetadata, configure?: (microservice: INestMicroservice) => void): Promise<INestApplication> {
    const app = this.keep(await NestFactory.create(moduleOf(metadata), { logger: false }));
    const strategy = new MillraceServer({ service: 'adder' });
    const deferInitialization = configure !== undefined;
    const microservice = app.connectMicroservice<MicroserviceOptions>({ strategy }, { deferInitialization });
    configure?.(microservice);
    await app.startAllMicroservices();
    await app.listen(0, '127.0.0.1');
    return app;
  }

  keep<T extends { close: () => Promise<unknown> }>(opened: T): T {
    this.#open.push(opened);
    return opened;
  }

  async stop(): Promise<void> {
    await Promise.all(this.#open.map((each) => each.close()));
    await this.redis.stop();
    this.#authority?.remove();
    delete process.env.MILLRACE_REDIS_CA;
  }
}

/** The answer of a route of an application to a POST. */
export async function posted(app: INestApplication, route: string, body: unknown = {}): Promise<Answer> {
  const headers = { 'content-type': 'application/json' };
  const answer = await fetch(`${await app.getUrl()}/${route}`, { method: 'POST', headers, body: JSON.stringify(body) });
  return { status: answer.status, body: await answer.text() };
}

/** The text of an answer that is no failure. */
export async function bodyOf(answer: Promise<Answer>): Promise<string> {
  const { status, body } = await answer;
  if (status >= 400) throw new Error(`The route answered ${status}: ${body}`);
  return body;
}
