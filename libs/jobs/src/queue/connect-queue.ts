import { asError } from '@millrace/core';
import { withDeadline } from '@millrace/redis';
import type { Queue } from 'bullmq';
import { connectionFailure } from '../connection/connection-failure.js';
import { QUEUE_TIMEOUT_MS } from './queue-command.js';
import { lastErrorOf } from './watch-queue.js';

/**
 * Connects a watched queue that was made not to connect by itself, and waits until it has. Does nothing to any other.
 *
 * @throws MillraceError REDIS_UNREACHABLE, REDIS_FAILED when that takes longer than 5 seconds
 */
export async function connectQueue(queue: Queue): Promise<void> {
  const client = await queue.getBackend().client;
  if (client.status !== 'wait') return;
  try {
    await withDeadline(client.connect(), QUEUE_TIMEOUT_MS, () => new Error(`it is not ready after ${QUEUE_TIMEOUT_MS / 1000} s`));
  } catch (thrown) {
    throw connectionFailure({
      whose: `The queue '${queue.name}'`,
      absent: 'cannot connect to Redis',
      advice: 'Is it still where the configuration of Redis says? Where it said NOPERM, a user lacks a permission: docs/guides/redis-acl.md has all.',
      reason: lastErrorOf(queue) ?? asError(thrown).message,
    });
  }
}
