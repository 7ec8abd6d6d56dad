import type { Outcome } from '@millrace/core';
import type { Handling } from './handling.js';
import type { PendingDelivery } from './pending-delivery.js';
import { unhandledOutcome } from './settlement.js';

/** Called with the outcome of each message, in their order. */
type Done = (outcomes: readonly Outcome[]) => void;

/** Hands one message or a batch to the handler, and reports the outcome of each. */
export function handOver(handling: Handling, deliveries: readonly PendingDelivery[], done: Done): void {
  const failed = (thrown: unknown): void => done(deliveries.map(() => defect(thrown)));
  if (handling.rule) void handling.handler(deliveries).then((outcomes) => done(complete(deliveries, outcomes)), failed);
  else void handling.handler(deliveries[0]!).then((outcome) => done([outcome]), failed);
}

function complete(deliveries: readonly PendingDelivery[], outcomes: readonly Outcome[]): readonly Outcome[] {
  if (outcomes.length === deliveries.length) return outcomes;
  return deliveries.map((_, index) => outcomes[index] ?? defect('The handler has no outcome for it.'));
}

/** The outcome of a message whose handler throws or returns no outcome for it: that is a defect of this library. */
export function defect(thrown: unknown): Outcome {
  return unhandledOutcome('HANDLER_DEFECT', thrown);
}
