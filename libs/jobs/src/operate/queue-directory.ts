import { assertName, MillraceError, quote } from '@millrace/core';
import { assertQueuesWork } from '../connection/bull-connection.js';
import type { Queue } from 'bullmq';
import { openQueue, queueBeside, type QueuePlace } from '../queue/open-queue.js';
import { OperatedQueue } from './operated-queue.js';
import { type FoundQueues, isQueueThere, lookForQueues, type QueueKeyspace } from './queue-names.js';

/** The queues that a process has open for itself. */
export interface OwnQueues {
  readonly names: readonly string[];
  find(name: string): Queue;
}

export interface QueueDirectoryOptions extends QueueKeyspace, QueuePlace {
  /** Default: none. */
  readonly own?: OwnQueues;
}

/**
 * All queues of the platform, for operators: those of this process, and every other one that Redis has, on one more connection.
 * That is opened when it is first needed.
 */
export class QueueDirectory {
  readonly #options: QueueDirectoryOptions;
  readonly #others = new Map<string, Promise<Queue>>();
  /** The queue that has the connection of the others. */
  #first: Promise<Queue> | null = null;
  #isClosed = false;

  constructor(options: QueueDirectoryOptions) {
    this.#options = options;
  }

  /** Those of this process. */
  get ownNames(): readonly string[] {
    return this.#options.own?.names ?? [];
  }

  /** Looks at some thousand keys for queues. @param from `next` of the look before, or `FIRST_LOOK` */
  look(from: string): Promise<FoundQueues> {
    return lookForQueues(this.#options, from);
  }

  /** @throws MillraceError INVALID_NAME, UNKNOWN_JOB_QUEUE, REDIS_UNREACHABLE, REDIS_FAILED, CLOSED */
  async open(name: string): Promise<OperatedQueue> {
    assertName('queue', name);
    if (this.ownNames.includes(name)) return new OperatedQueue(this.#options.own!.find(name));
    if (!(await isQueueThere(this.#options, name))) throw unknownQueue(name);
    if (this.#isClosed) throw new MillraceError('CLOSED', `The queue ${quote(name)} cannot be looked at: the application shuts down.`);
    const opening = this.#others.get(name) ?? this.#open(name);
    this.#others.set(name, opening);
    // One that cannot be opened now is opened anew when it is asked for again.
    opening.catch(() => this.#others.delete(name));
    return new OperatedQueue(await opening);
  }

  /** Ends the connection, if one was opened. */
  async close(): Promise<void> {
    this.#isClosed = true;
    const opened = await Promise.allSettled(this.#others.values());
    const queues = opened.flatMap((one) => (one.status === 'fulfilled' ? [one.value] : []));
    const first = await this.#first?.catch(() => null);
    for (const queue of queues) if (queue !== first) await queue.close();
    await first?.close();
  }

  async #open(name: string): Promise<Queue> {
    const { redis, target, prefix } = this.#options;
    if (this.#first !== null) return queueBeside(await this.#first, name, prefix);
    assertQueuesWork(redis, target);
    const opening = openQueue(name, { target, prefix });
    this.#first = opening;
    opening.catch(() => (this.#first = null));
    return opening;
  }
}

function unknownQueue(name: string): MillraceError {
  return new MillraceError('UNKNOWN_JOB_QUEUE', `There is no queue ${quote(name)} in Redis: it has one from its first job on. See the list of queues.`);
}
