import { payloadClassOf } from '../contract/message-type.js';
import { decodePayload } from '../contract/payload.js';
import { DeadLetterContext } from './dead-letter-context.js';
import type { Message } from './delivery.js';
import { decided } from './lease.js';
import { messagePlace, type MessageSource } from './message-place.js';
import type { PipelineParts } from './pipeline.js';
import type { DeadLetterHandler } from './ports.js';
import { outcomeOfFailure } from './retry.js';
import { prefilterOf } from './prefilter.js';
import { withinLimit } from './time-limit.js';

export interface DeadLetterPipelineParts extends Omit<PipelineParts, 'inbox' | 'handle'> {
  /** The user's handler with everything that surrounds it. */
  readonly handle: (payload: unknown, context: DeadLetterContext) => Promise<unknown>;
}

/** Puts the policies around a handler of dead letters. A payload that cannot be read is handed over as it was found. */
export function deadLetterPipeline(parts: DeadLetterPipelineParts): DeadLetterHandler {
  const retry = { ...parts.retry, place: { topic: parts.topic.name, group: parts.group } };
  return async (delivery) => {
    try {
      const payload = await readPayload(parts, delivery.message);
      await withinLimit(parts.timeoutMs ?? null, delivery.signal, async (signal) => {
        const context = new DeadLetterContext({ ...delivery, signal }, payload !== null);
        await parts.handle(payload ?? delivery.message.payload, context);
      });
      return decided(delivery.lease, { kind: 'ack' });
    } catch (thrown) {
      return decided(delivery.lease, outcomeOfFailure(retry, delivery.attempt, thrown));
    }
  };
}

/** @returns null when it is not valid, or of a type that is not known here */
async function readPayload(source: MessageSource, message: Message): Promise<object | null> {
  const { topic } = source;
  if (prefilterOf({ topic })(message) !== null) return null;
  return decodePayload(payloadClassOf(topic, message), message.payload, messagePlace(source)).catch(() => null);
}
