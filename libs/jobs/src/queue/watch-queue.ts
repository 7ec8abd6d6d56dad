import { emit, errorRecord, messageOf } from '@millrace/core';
import type { Queue } from 'bullmq';

const lastErrors = new WeakMap<Queue, string | null>();

/**
 * Tells the `connection` event about errors of a queue's connection, which BullMQ would otherwise print. {@link JobQueue}
 * does it for every queue it uses; call it earlier to cover the time before. May be called again.
 */
export function watchQueue(queue: Queue): void {
  if (lastErrors.has(queue)) return;
  lastErrors.set(queue, null);
  queue.on('error', (error) => {
    const message = messageOf(error);
    lastErrors.set(queue, message);
    emit('connection', { name: `queue:${queue.name}`, state: 'failed', error: errorRecord(new Error(message)) });
  });
}

/** What the last error of a watched queue's connection said. */
export function lastErrorOf(queue: Queue): string | null {
  return lastErrors.get(queue) ?? null;
}
