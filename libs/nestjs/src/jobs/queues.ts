import { getQueueToken } from '@nestjs/bullmq';
import { Injectable } from '@nestjs/common';
import { ModuleRef } from '@nestjs/core';
import { asError, MillraceError, unknownName } from '@millrace/core';
import { closePromptly, type Queue, watchQueue } from '@millrace/jobs';

/** The queues that `MillraceModule.forFeature` registered. */
@Injectable()
export class Queues {
  readonly #modules: ModuleRef;
  readonly #open = new Map<string, Queue>();

  constructor(modules: ModuleRef) {
    this.#modules = modules;
  }

  /** Connects the queues. */
  async open(names: readonly string[]): Promise<void> {
    for (const name of names) {
      const queue = this.#modules.get<Queue>(getQueueToken(name), { strict: false });
      watchQueue(queue);
      closePromptly(queue);
      this.#open.set(name, queue);
    }
    await Promise.all([...this.#open.values()].map(connect));
  }

  /** Nest closes the queues of an application that started; this is for one that did not. */
  async close(): Promise<void> {
    await Promise.all([...this.#open.values()].map((queue) => queue.close()));
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
    const message = `The queue '${queue.name}' cannot connect to Redis: ${asError(cause).message}. Is it still where REDIS_URL says?`;
    throw new MillraceError('REDIS_UNREACHABLE', message, { retryable: true });
  }
}
