import type { EventEmitter } from 'node:events';
import { emit, errorRecord, messageOf } from '@millrace/core';
import type { Queue } from 'bullmq';

const lastErrors = new WeakMap<Queue, string | null>();

/**
 * Emits the `connection` event when a queue's connection fails, which BullMQ would otherwise print, and when it is ready.
 * {@link JobQueue} does it for every queue it uses; call it earlier to cover the time before. May be called again.
 */
export function watchQueue(queue: Queue): void {
  if (lastErrors.has(queue)) return;
  lastErrors.set(queue, null);
  const name = `queue:${queue.name}`;
  queue.on('error', (error) => {
    const message = messageOf(error);
    lastErrors.set(queue, message);
    emit('connection', { name, state: 'failed', error: errorRecord(new Error(message)) });
  });
  void notifyWhenReady(queue, () => emit('connection', { name, state: 'ready' }));
}

/** BullMQ reports its first connection alone, by a promise. */
async function notifyWhenReady(queue: Queue, notify: () => void): Promise<void> {
  try {
    const client: unknown = await queue.getBackend().client;
    notify();
    (client as EventEmitter).on('ready', notify);
  } catch {
    // It was closed before it was connected: no event is due, and its users get the error of their own calls.
  }
}

/** The message of the last error of a watched queue's connection. */
export function lastErrorOf(queue: Queue): string | null {
  return lastErrors.get(queue) ?? null;
}
