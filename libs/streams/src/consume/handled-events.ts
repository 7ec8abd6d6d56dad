import { eventChannel, handledAs, messageTimeMs, type Outcome } from '@millrace/core';
import type { Waits } from './in-place.js';
import type { PendingDelivery } from './pending-delivery.js';

const FETCHED = eventChannel('fetched');
const HANDLED = eventChannel('handled');

/** Tells observers of messages of one group that were read. */
export function tellFetched(deliveries: readonly PendingDelivery[]): void {
  const [first] = deliveries;
  if (!FETCHED.hasSubscribers || !first) return;
  const { topic, group } = first;
  const again = deliveries.filter(({ attempt, crashes, replayed }) => attempt > 1 || crashes > 0 || replayed);
  FETCHED.publish({ topic, group, count: deliveries.length, redelivered: again.length });
}

/** Notes when the handler of these messages begins, while somebody wants to know. */
export function noteBegin(deliveries: readonly PendingDelivery[]): void {
  if (!HANDLED.hasSubscribers) return;
  const nowMs = performance.now();
  for (const delivery of deliveries) delivery.begunAtMs = nowMs;
}

/** Tells observers of a message whose handler has ended. @param waits what waits for an operator; null when nothing does */
export function tellHandled(delivery: PendingDelivery, outcome: Outcome, waits: Waits | null): void {
  // It had begun before anybody listened.
  if (delivery.begunAtMs === 0) return;
  const { topic, group, partition, attempt } = delivery;
  const durationMs = performance.now() - delivery.begunAtMs;
  delivery.begunAtMs = 0;
  const ageMs = Math.max(0, Date.now() - messageTimeMs(delivery.message.id));
  const as = handledAs(outcome);
  HANDLED.publish({ topic, group, partition, attempt, ...as, ...(waits ? { outcome: waits } : {}), durationMs, ageMs });
}

/** Whether anybody wants to know of handlers that ended. */
export function isHandledHeard(): boolean {
  return HANDLED.hasSubscribers;
}
