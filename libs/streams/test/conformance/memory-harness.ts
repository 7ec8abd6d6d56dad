import type { Position, TopicDefinition } from '@millrace/core';
import { createStreams, type Streams } from '@millrace/streams';
import { type ConformanceHarness, type ConformanceInstance, connectMemory, type LossyInstance, type MemoryNetwork, MemoryServer } from '@millrace/testing';

const LEASE_MS = 300;
const OPTIONS = { prefix: 'conformance', leaseMs: LEASE_MS };

/** Streams on one Redis in memory, for the conformance suite. */
export class MemoryHarness implements ConformanceHarness {
  readonly #server = new MemoryServer();
  #observer: Promise<Streams> | null = null;

  open(): Promise<ConformanceInstance> {
    return this.#open({});
  }

  async openLossy(): Promise<LossyInstance> {
    const answers = new LossyAnswers();
    const instance = await this.#open({ fate: ({ direction }) => answers.fateOf(direction) });
    return { ...instance, loseAnswers: () => answers.lose(), mend: async () => answers.mend() };
  }

  async isDrained(topic: TopicDefinition, group: string): Promise<boolean> {
    const { lag, pending, retrying } = await (await this.#observing()).inspector.group(topic, group);
    if (lag === 0 && pending === 0 && retrying === 0) return true;
    throw new Error(`lag ${lag}, pending ${pending}, retrying ${retrying}`);
  }

  async seek(topic: TopicDefinition, group: string, to: Position): Promise<void> {
    await (await this.#observing()).groups.seek(topic, group, { to });
  }

  #observing(): Promise<Streams> {
    this.#observer ??= connectMemory(this.#server).then((redis) => createStreams({ redis, ...OPTIONS }));
    return this.#observer;
  }

  async #open(network: MemoryNetwork): Promise<ConformanceInstance> {
    const redis = await connectMemory(this.#server, { network });
    const streams = createStreams({ redis, ...OPTIONS });
    return {
      port: streams,
      vanish: () => redis.kill(),
      stop: async (deadlineMs) => {
        await streams.stop(deadlineMs);
        redis.close();
      },
    };
  }
}

/** A network that loses answers from a moment on. */
class LossyAnswers {
  #isLosing = false;
  #lost: (() => void) | null = null;

  fateOf(direction: string): 'lost' | number {
    if (!this.#isLosing || direction !== 'reply') return 0;
    this.#lost?.();
    return 'lost';
  }

  /** Resolves when one was lost. */
  lose(): Promise<void> {
    this.#isLosing = true;
    return new Promise((resolve) => void (this.#lost = resolve));
  }

  mend(): void {
    this.#isLosing = false;
  }
}
