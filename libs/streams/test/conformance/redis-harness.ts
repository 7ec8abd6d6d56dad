import type { Position, TopicDefinition } from '@millrace/core';
import type { StreamsOptions } from '@millrace/streams';
import { type ConformanceHarness, type ConformanceInstance, type LossyInstance, TcpProxy, type TestRedis, uniqueName } from '@millrace/testing';
import { type Process, startProcess } from '../fixture.js';

/** Streams on one Redis, for the conformance suite. */
export class RedisHarness implements ConformanceHarness {
  readonly #server: TestRedis;
  readonly #options: Omit<StreamsOptions, 'redis'>;
  readonly #observer: Process;

  private constructor(server: TestRedis, options: Omit<StreamsOptions, 'redis'>, observer: Process) {
    this.#server = server;
    this.#options = options;
    this.#observer = observer;
  }

  static async start(server: TestRedis): Promise<RedisHarness> {
    const options = { prefix: uniqueName('conformance'), leaseMs: 300 };
    return new RedisHarness(server, options, await startProcess(server, options));
  }

  async open(): Promise<ConformanceInstance> {
    return instanceOf(await startProcess(this.#server, this.#options));
  }

  async openLossy(): Promise<LossyInstance> {
    const proxy = await TcpProxy.start(this.#server.url);
    const instance = instanceOf(await startProcess(proxy.url, this.#options));
    return {
      ...instance,
      loseAnswers: () => proxy.dropReplies(),
      mend: () => proxy.pass(),
      stop: async (deadlineMs) => {
        await instance.stop(deadlineMs);
        await proxy.stop();
      },
    };
  }

  async isDrained(topic: TopicDefinition, group: string): Promise<boolean> {
    const { lag, pending, retrying } = await this.#observer.streams.inspector.group(topic, group);
    if (lag === 0 && pending === 0 && retrying === 0) return true;
    throw new Error(`lag ${lag}, pending ${pending}, retrying ${retrying}`);
  }

  async seek(topic: TopicDefinition, group: string, to: Position): Promise<void> {
    await this.#observer.streams.groups.seek(topic, group, { to });
  }

  restart(): Promise<void> {
    return this.#server.restart();
  }

  stop(): Promise<void> {
    return this.#observer.stop();
  }
}

function instanceOf(process: Process): ConformanceInstance {
  return { port: process.streams, vanish: () => process.vanish(), stop: (deadlineMs) => process.stop(deadlineMs) };
}
