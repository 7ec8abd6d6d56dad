import { Injectable } from '@nestjs/common';
import { MillraceError, unknownName } from '@millrace/core';
import { assertQueuesWork, closePromptly, connectQueue, type Queue, watchQueue } from '@millrace/jobs';
import type { RedisTarget, Topology } from '@millrace/redis';
import { HandlerFinder } from '../explore/handler-finder.js';
import { FEATURE_QUEUES } from '../module/tokens.js';

/** The queues that `MillraceModule.forFeature` registered. */
@Injectable()
export class Queues {
  readonly #finder: HandlerFinder;
  readonly #open = new Map<string, Queue>();

  constructor(finder: HandlerFinder) {
    this.#finder = finder;
  }

  /**
   * Connects the queues.
   *
   * @throws MillraceError REDIS_UNREACHABLE, REDIS_FAILED, INVALID_OPTIONS
   */
  async open(redis: Topology, target: RedisTarget): Promise<void> {
    const features = this.#finder.hosts().filter(({ token }) => token === FEATURE_QUEUES);
    const queues = features.flatMap(({ instance }) => instance as unknown as readonly Queue[]);
    if (queues.length > 0) assertQueuesWork(redis, target);
    for (const queue of queues) {
      watchQueue(queue);
      closePromptly(queue);
      this.#open.set(queue.name, queue);
    }
    await Promise.all([...this.#open.values()].map(connectQueue));
  }

  /** Nest closes the queues of an application that started; this is for one that did not. */
  async close(): Promise<void> {
    await Promise.all([...this.#open.values()].map((queue) => queue.close()));
  }

  get names(): string[] {
    return [...this.#open.keys()];
  }

  has(name: string): boolean {
    return this.#open.has(name);
  }

  /** @throws MillraceError UNKNOWN_QUEUE */
  find(name: string): Queue {
    const queue = this.#open.get(name);
    if (queue) return queue;
    throw new MillraceError(
      'UNKNOWN_QUEUE',
      `${unknownName('queue', name, [...this.#open.keys()])} A module that enqueues a job imports MillraceModule.forFeature([TheJob]).`,
    );
  }
}
