import type { Outcome } from '@millrace/core';
import type { Handling } from './handling.js';
import type { PendingDelivery } from './pending-delivery.js';
import { unhandledOutcome } from './settlement.js';

/** Hands messages over, one or a batch of them, and says what became of each, in their order. It never rejects. */
export function handOver(handling: Handling, deliveries: readonly PendingDelivery[]): Promise<readonly Outcome[]> {
  if (handling.rule) return handling.handler(deliveries).catch((thrown: unknown) => deliveries.map(() => defect(thrown)));
  return handling.handler(deliveries[0]!).then((outcome) => [outcome], (thrown: unknown) => [defect(thrown)]);
}

/** A handler that throws, or says nothing of one of its messages, is a defect of ours. */
export function defect(thrown: unknown): Outcome {
  return unhandledOutcome('HANDLER_DEFECT', thrown);
}
