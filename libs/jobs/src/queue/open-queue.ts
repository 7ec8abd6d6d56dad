import { isClusterClient, type RedisTarget } from '@millrace/redis';
import { type ConnectionOptions, Queue } from 'bullmq';
import { bullConnection, bullPrefix } from '../connection/bull-connection.js';
import { connectQueue } from './connect-queue.js';
import { closePromptly } from './prompt-close.js';
import { watchQueue } from './watch-queue.js';

/** The place of a queue. */
export interface QueuePlace {
  readonly target: RedisTarget;
  /** The first part of every key of the platform: `millrace`. */
  readonly prefix: string;
}

/**
 * A queue with a connection of its own, which `close()` ends within a second. It writes nothing by itself.
 *
 * @throws MillraceError REDIS_UNREACHABLE, REDIS_FAILED when it cannot connect within 5 seconds; INVALID_OPTIONS
 */
export async function openQueue(name: string, { target, prefix }: QueuePlace): Promise<Queue> {
  const connection = bullConnection(target, 'queue');
  const queue = queueOn(isClusterClient(connection) ? connection : { ...connection, lazyConnect: true }, name, prefix);
  watchQueue(queue);
  closePromptly(queue);
  try {
    await connectQueue(queue);
    return queue;
  } catch (error) {
    await queue.close();
    throw error;
  }
}

/** Another queue on the connection of one that is open, and stays open for longer. */
export async function queueBeside(open: Queue, name: string, prefix: string): Promise<Queue> {
  const queue = queueOn(await open.getBackend().client, name, prefix);
  // The failures of the connection are told for the queue that has it.
  queue.on('error', () => undefined);
  return queue;
}

function queueOn(connection: ConnectionOptions, name: string, prefix: string): Queue {
  const quiet = { skipWaitingForReady: true, skipVersionCheck: true, skipMetasUpdate: true };
  return new Queue(name, { connection, prefix: bullPrefix(prefix), ...quiet });
}
