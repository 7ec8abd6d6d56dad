import { emit, type Outcome } from '@millrace/core';
import type { Work } from './work.js';

/** Tells of an attempt that failed. */
export function tellOfFailure(work: Work, outcome: Outcome): void {
  if (outcome.kind === 'ack' || outcome.kind === 'release') return;
  const { topic, partition, group } = work.entry.stream.partition;
  const messageId = work.message.id;
  const delay = outcome.kind === 'retry' ? { delayMs: outcome.delayMs } : {};
  const failed = { topic, partition, group, messageId, attempt: work.attempt, error: outcome.error, ...delay };
  emit('attempt-failed', { ...failed, outcome: outcome.kind });
}
