import type { Job } from 'bullmq';

const COUNTED = /^\d+$/;

/**
 * The identity of a job among those that were handled. BullMQ counts jobs that others enqueue without an id, and begins anew when
 * the queue or Redis was emptied, while a database and the ledger remember the former ones: the time tells them apart.
 */
export function workIdOf({ id = '', timestamp }: Pick<Job, 'id' | 'timestamp'>): string {
  return COUNTED.test(id) ? `${id}@${timestamp}` : id;
}
