import type { Position, TopicDefinition } from '@millrace/core';
import type { Topology } from '@millrace/redis';
import type { StreamsOptions } from '@millrace/streams';
import { type ConformanceHarness, type ConformanceInstance, type LossyInstance, type Site, uniqueName } from '@millrace/testing';
import { type Process, startProcessAt } from '../fixture.js';

/** Streams on a Redis, whichever way it is set up, for the conformance suite. */
export class SiteHarness implements ConformanceHarness {
  readonly #site: Site;
  readonly #options: Omit<StreamsOptions, 'redis'>;
  readonly #observer: Process<Topology>;

  private constructor(site: Site, options: Omit<StreamsOptions, 'redis'>, observer: Process<Topology>) {
    this.#site = site;
    this.#options = options;
    this.#observer = observer;
  }

  static async start(site: Site): Promise<SiteHarness> {
    const options = { prefix: uniqueName('conformance'), leaseMs: 300 };
    return new SiteHarness(site, options, await startProcessAt(site.target, options));
  }

  async open(): Promise<ConformanceInstance> {
    return instanceOf(await startProcessAt(this.#site.target, this.#options));
  }

  async openLossy(): Promise<LossyInstance> {
    const network = await this.#site.network();
    const instance = instanceOf(await startProcessAt(network.target, this.#options));
    return {
      ...instance,
      loseAnswers: () => network.dropReplies(),
      mend: () => network.pass(),
      stop: async (deadlineMs) => {
        await instance.stop(deadlineMs);
        await network.stop();
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
    return this.#site.crash();
  }

  stop(): Promise<void> {
    return this.#observer.stop();
  }
}

function instanceOf(process: Process<Topology>): ConformanceInstance {
  return { port: process.streams, vanish: () => process.vanish(), stop: (deadlineMs) => process.stop(deadlineMs) };
}
