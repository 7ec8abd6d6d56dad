import { Injectable } from '@nestjs/common';
import { asError, MillraceError, unknownName } from '@millrace/core';
import { assertQueuesWork, closePromptly, type Queue, watchQueue } from '@millrace/jobs';
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
   * @throws MillraceError REDIS_UNREACHABLE, INVALID_OPTIONS
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
    await Promise.all([...this.#open.values()].map(connect));
  }

  /** Nest closes the queues of an application that started; this is for one that did not. */
  async close(): Promise<void> {
    await Promise.all([...this.#open.values()].map((queue) => queue.close()));
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

/** @throws MillraceError REDIS_UNREACHABLE */
async function connect(queue: Queue): Promise<void> {
  const client = await queue.getBackend().client;
  try {
    if (client.status === 'wait') await client.connect();
  } catch (cause) {
    const message = `The queue '${queue.name}' cannot connect to Redis: ${asError(cause).message}. Is it still where REDIS_URL, or the option redis, says?`;
    throw new MillraceError('REDIS_UNREACHABLE', message, { retryable: true });
  }
}
