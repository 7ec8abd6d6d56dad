import { payloadClassOf } from '../contract/message-type.js';
import { decoded } from '../contract/payload.js';
import { chain, type Middleware } from '../middleware/chain.js';
import { outcomes } from '../middleware/outcomes.js';
import { timing } from '../middleware/timing.js';
import { tracing } from '../middleware/tracing.js';
import { DeadLetterContext } from './dead-letter-context.js';
import type { DeadLetterDelivery } from './delivery.js';
import { MessageAttempt } from './message-attempt.js';
import { messagePlace, type MessageSource } from './message-place.js';
import { factsOf, headersOf, type PipelineParts, retryOf, signalOf } from './pipeline.js';
import type { DeadLetterHandler } from './ports.js';
import { prefilterOf } from './prefilter.js';

export interface DeadLetterPipelineParts extends Omit<PipelineParts, 'inbox' | 'handle'> {
  /** The user's handler with everything that surrounds it. */
  readonly handle: (payload: unknown, context: DeadLetterContext) => Promise<unknown>;
}

/** A dead letter on its way to the handler of its group. */
class DeadLetterAttempt extends MessageAttempt<DeadLetterDelivery> {
  /** False: the payload is as it was found. */
  isValid = false;
}

/** Puts the policies around a handler of dead letters. A payload that cannot be read is handed over as it was found. */
export function deadLetterPipeline(parts: DeadLetterPipelineParts): DeadLetterHandler {
  const { timeoutMs = null, handle } = parts;
  const around = [
    decodingIfValid(parts),
    tracing<DeadLetterAttempt>(headersOf, (attempt) => ({ ...factsOf(attempt), isDeadLetter: true })),
    timing<DeadLetterAttempt>(timeoutMs, signalOf),
  ];
  const decide = outcomes(
    retryOf(parts),
    chain(around, (attempt) => handle(attempt.payload, new DeadLetterContext(attempt.delivery, attempt))),
  );
  return (delivery) => decide(new DeadLetterAttempt(delivery));
}

/** Leaves a payload as it is that is not valid, or of a type that is not known here. */
function decodingIfValid(source: MessageSource): Middleware<DeadLetterAttempt> {
  const { topic } = source;
  const [place, prefilter] = [messagePlace(source), prefilterOf({ topic })];
  return (next) => async (attempt) => {
    const { message } = attempt.delivery;
    if (prefilter(message) === null) {
      try {
        attempt.payload = await decoded(payloadClassOf(topic, message), message.payload, place);
        attempt.isValid = true;
      } catch {
        // The group gave it up for that, or for another reason: its handler gets what there is.
      }
    }
    return next(attempt);
  };
}
