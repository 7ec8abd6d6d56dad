import { payloadClassOf } from '../contract/message-type.js';
import { decoded } from '../contract/payload.js';
import { messagePlace, type MessageSource } from '../delivery/message-place.js';
import { MillraceError } from '../errors.js';
import { withinLimit } from '../middleware/time-limit.js';
import { untilAborted } from '../middleware/until-aborted.js';
import { inTrace } from '../trace/trace-context.js';
import { TransactionCheckContext } from './check-context.js';
import type { CheckedHalf, CheckHandler, TransactionState } from './half-port.js';

export interface CheckPipelineParts extends MessageSource {
  /** How long one call of the handler may take. */
  readonly timeoutMs: number;
  /** The user's handler with everything that surrounds it. */
  readonly handle: (payload: object, context: TransactionCheckContext) => Promise<unknown>;
}

const STATES: readonly unknown[] = ['commit', 'rollback', 'unknown'] satisfies TransactionState[];

/** Puts around a handler of checks: the payload as an instance of its class, the trace, the time limit. */
export function checkPipeline(parts: CheckPipelineParts): CheckHandler {
  const answer = (half: CheckedHalf): Promise<unknown> =>
    withinLimit(parts.timeoutMs, half.signal, (signal) =>
      untilAborted(signal, () => inTrace(half.message.headers, () => handled(parts, { ...half, signal }), undefined)),
    );
  return async (half) => stateOf(parts, await answer(half));
}

async function handled({ topic, unknownProperties, handle }: CheckPipelineParts, half: CheckedHalf): Promise<unknown> {
  const { message } = half;
  if (message.type !== null && !topic.types.has(message.type)) throw unknownType(topic.name, message.type);
  const payload = await decoded(payloadClassOf(topic, message), message.payload, messagePlace({ topic, unknownProperties }));
  return handle(payload, new TransactionCheckContext(topic.name, half));
}

function stateOf({ topic }: CheckPipelineParts, answer: unknown): TransactionState {
  if (STATES.includes(answer)) return answer as TransactionState;
  throw new MillraceError(
    'INVALID_INPUT',
    `The @TransactionCheck of topic '${topic.name}' answered something else than 'commit', 'rollback' or 'unknown', which counts as 'unknown'.`,
  );
}

function unknownType(topic: string, type: string): MillraceError {
  return new MillraceError(
    'UNKNOWN_MESSAGE_TYPE',
    `A half message of topic '${topic}' has the type '${type}', which this process does not know: a newer one has to answer for it.`,
  );
}
