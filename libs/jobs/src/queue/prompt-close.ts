import { settlesWithin } from '@millrace/redis';
import type { Queue } from 'bullmq';
import { releaseConnection } from '../connection/bull-connection.js';

const CLOSE_MS = 1_000;

/**
 * Lets `close()` of a queue end within a second even when Redis is silent: BullMQ sends a last command to Redis and waits for
 * the answer. A living Redis has answered by then.
 */
export function closePromptly(queue: Queue): void {
  const close = queue.close.bind(queue);
  queue.close = async () => {
    const closing = close();
    if (!(await settlesWithin(closing, CLOSE_MS))) await queue.disconnect();
    await closing;
    releaseConnection(queue.opts.connection);
  };
}
