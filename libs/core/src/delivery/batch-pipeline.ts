import { payloadClassOf } from '../contract/message-type.js';
import { decodePayload, type PayloadPlace } from '../contract/payload.js';
import { BatchContext } from './batch-context.js';
import { DeliveryContext } from './context.js';
import { type Delivery, goesBack } from './delivery.js';
import { decided } from './lease.js';
import { leaseOfAll } from './lease-of-all.js';
import { messagePlace } from './message-place.js';
import type { Outcome } from './outcome.js';
import type { PipelineParts } from './pipeline.js';
import type { BatchHandler } from './ports.js';
import { outcomeOfFailure } from './retry.js';
import { withinLimit } from './time-limit.js';

export interface BatchPipelineParts extends Omit<PipelineParts, 'inbox' | 'handle'> {
  /** The user's handler with everything that surrounds it. */
  readonly handle: (payloads: object[], context: BatchContext) => Promise<unknown>;
}

/** A delivery whose payload is valid. */
interface Readable {
  readonly delivery: Delivery;
  readonly payload: object;
}

/**
 * Puts the policies around a handler of batches. A message that is not valid fails alone, before the handler. An error that the
 * handler throws is the failure of every message that it did not mark itself.
 */
export function batchPipeline(parts: BatchPipelineParts): BatchHandler {
  const retry = { ...parts.retry, place: { topic: parts.topic.name, group: parts.group } };
  const reading = { topic: parts.topic, place: messagePlace(parts), retry };
  return async (deliveries) => {
    const valid = await Promise.all(deliveries.map((delivery) => readableOf(delivery, reading)));
    // Rules may take their time: a message that goes back meanwhile is not begun here.
    const read = valid.map((item): Readable | Outcome => ('payload' in item && goesBack(item.delivery) ? { kind: 'release' } : item));
    const readable = read.filter((item): item is Readable => 'payload' in item);
    const failures = readable.length > 0 ? await failuresIn(parts, readable) : new Map<Delivery, unknown>();
    return read.map((item) => {
      if ('kind' in item) return item;
      const { delivery } = item;
      const fails = failures.has(delivery);
      return decided(delivery.lease, fails ? outcomeOfFailure(retry, delivery.attempt, failures.get(delivery)) : { kind: 'ack' });
    });
  };
}

interface Reading extends Pick<PipelineParts, 'topic' | 'retry'> {
  readonly place: PayloadPlace;
}

/** @returns the outcome when the message is not handed to the handler, else null */
async function readableOf(delivery: Delivery, { topic, place, retry }: Reading): Promise<Readable | Outcome> {
  const { message } = delivery;
  try {
    return { delivery, payload: await decodePayload(payloadClassOf(topic, message), message.payload, place) };
  } catch (thrown) {
    return outcomeOfFailure(retry, delivery.attempt, thrown);
  }
}

/** Runs the handler. @returns the error of each delivery that failed */
async function failuresIn(parts: BatchPipelineParts, batch: readonly Readable[]): Promise<Map<Delivery, unknown>> {
  const deliveries = batch.map(({ delivery }) => delivery);
  const marked = new Map<number, unknown>();
  const items = deliveries.map((delivery) => new DeliveryContext(delivery));
  const payloads = batch.map(({ payload }) => payload);
  const lease = leaseOfAll(deliveries.map(({ lease: { signal } }) => signal));
  try {
    await withinLimit(parts.timeoutMs ?? null, lease.signal, async (signal) =>
      parts.handle(payloads, new BatchContext(items, signal, marked)),
    );
  } catch (thrown) {
    deliveries.forEach((_, index) => marked.has(index) || marked.set(index, thrown));
  } finally {
    lease.end();
  }
  return new Map([...marked].map(([index, failure]) => [deliveries[index]!, failure]));
}
