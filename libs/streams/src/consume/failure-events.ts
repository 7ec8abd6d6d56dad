import { emit, type Outcome, traceIdOf } from '@millrace/core';
import type { Waits } from './in-place.js';
import type { PendingDelivery } from './pending-delivery.js';

/** Reports an attempt that failed. @param waits what waits for an operator in place of a dead letter; null when nothing does */
export function emitFailure(delivery: PendingDelivery, outcome: Outcome, waits: Waits | null): void {
  if (outcome.kind === 'ack' || outcome.kind === 'release') return;
  const { topic, partition, group } = delivery.entry.stream.partition;
  const { id: messageId, headers } = delivery.message;
  const delay = outcome.kind === 'retry' ? { delayMs: outcome.delayMs } : {};
  const failed = { topic, partition, group, messageId, attempt: delivery.attempt, error: outcome.error, ...delay };
  emit('attempt-failed', { ...failed, traceId: traceIdOf(headers), outcome: waits ?? outcome.kind });
}
