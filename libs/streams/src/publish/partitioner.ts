import { crc32 } from 'node:zlib';
import type { OutgoingMessage } from '@millrace/core';

/**
 * The partition of a message: a pure function of its key, else of its idempotency key, else of its id; otherwise a
 * publish that is tried again could land in another partition, where nobody remembers the first.
 */
export function partitionOf(message: OutgoingMessage, partitions: number): number {
  if (partitions === 1) return 0;
  return crc32(message.key ?? message.idempotencyKey ?? message.id) % partitions;
}
