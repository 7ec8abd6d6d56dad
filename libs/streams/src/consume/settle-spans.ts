import { type OpenSpan, presentSpans } from '@millrace/core';
import type { PendingDelivery } from './pending-delivery.js';
import type { Settlement } from './settlement.js';

const OPERATIONS = { ack: 'ack', retry: 'retry', dead: 'dead_letter', release: null } as const;

/** Begins the span of a settlement; null without a tracer, and where it wants none. */
export function settleSpanOf(delivery: PendingDelivery, [kind]: Settlement): OpenSpan | null {
  const spans = presentSpans();
  const operation = OPERATIONS[kind];
  if (spans === null || operation === null) return null;
  const { topic: target, partition, group, attempt, message: { id: messageId, headers } } = delivery;
  return spans.open({ operation, target, partition, group, attempt, messageId, sentIn: [headers] });
}
