import { settlesWithin } from '@millrace/redis';
import type { Queue } from 'bullmq';

const CLOSE_MS = 1_000;

/**
 * Lets `close()` of a queue end within a second though Redis is silent: BullMQ takes leave of Redis and waits for the answer.
 * An answer that is to come is there by then.
 */
export function closePromptly(queue: Queue): void {
  const close = queue.close.bind(queue);
  queue.close = async () => {
    const closing = close();
    if (!(await settlesWithin(closing, CLOSE_MS))) await queue.disconnect();
    await closing;
  };
}
