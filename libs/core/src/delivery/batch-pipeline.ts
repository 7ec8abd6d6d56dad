import { payloadClassOf } from '../contract/message-type.js';
import type { MemoPort } from '../memo/memo-port.js';
import { goesBack } from '../middleware/attempt.js';
import { chain, type Middleware, type Step } from '../middleware/chain.js';
import { decoding } from '../middleware/decoding.js';
import { begunTurn, endOf, type Idempotency } from '../middleware/idempotency.js';
import { handled, outcomes } from '../middleware/outcomes.js';
import { timing } from '../middleware/timing.js';
import { GOES_BACK, Verdict } from '../middleware/verdict.js';
import { presentSpans } from '../trace/spans.js';
import { BatchContext } from './batch-context.js';
import { DeliveryContext } from './context.js';
import type { Forwards } from './forwards.js';
import { decided } from './lease.js';
import { leaseOfAll } from './lease-of-all.js';
import { MessageAttempt } from './message-attempt.js';
import { messagePlace } from './message-place.js';
import { idempotencyOf, meansOf, type PipelineParts, retryOf } from './pipeline.js';
import type { BatchHandler } from './ports.js';
import type { Outcome } from './outcome.js';
import { outcomeOfFailure, type RetryPolicy } from './retry.js';

export interface BatchPipelineParts extends Omit<PipelineParts, 'inbox' | 'handle'> {
  /** The user's handler with everything that surrounds it. */
  readonly handle: (payloads: object[], context: BatchContext) => Promise<unknown>;
}

/** The messages of a batch that are handed over. */
interface BatchAttempt {
  readonly messages: readonly MessageAttempt[];
  /** Aborts when none of them is this process's any more. */
  readonly signal: AbortSignal;
  limit?: AbortSignal | undefined;
  /** The error of each message that failed, by its index. */
  readonly failures: Map<number, unknown>;
  /** Whether the handler has ended. */
  isOver: boolean;
}

/** Its outcome stands for a message that is to be handed over. */
const READ = new Verdict({ kind: 'ack' });

/**
 * Puts the policies around a handler of batches. A message that is not valid fails alone, before the handler. An error that the
 * handler throws is the failure of every message that it did not mark itself.
 */
export function batchPipeline(parts: BatchPipelineParts): BatchHandler {
  const { topic, idempotency, timeoutMs = null } = parts;
  const means = meansOf(parts);
  const policy = retryOf(parts);
  const decode = decoding<MessageAttempt>(({ delivery }) => payloadClassOf(topic, delivery.message), messagePlace(parts));
  const begin = idempotency ? [beginning(idempotencyOf(parts, idempotency))] : [];
  const read = outcomes(policy, chain([decode, ...begin], () => READ));
  const handle = chain([spanned(parts), timing<BatchAttempt>(timeoutMs, ({ signal }) => signal)], handedTo(parts));
  return async (deliveries) => {
    const messages = deliveries.map((delivery) => new MessageAttempt(delivery, means));
    const before = await Promise.all(messages.map(read));
    // Rules may take their time: a message that goes back meanwhile is not begun here.
    const handed = messages.filter((message, index) => before[index] === READ.outcome && !goesBack(message));
    const failures = handed.length > 0 ? await failuresIn(handle, handed) : new Map<MessageAttempt, unknown>();
    const begun = new Set(handed);
    const found = messages.map((message, index) => {
      if (!begun.has(message)) return before[index] === READ.outcome ? GOES_BACK.outcome : before[index]!;
      const fails = failures.has(message);
      const outcome = fails ? outcomeOfFailure(policy, message.number, failures.get(message)) : handledOrFailed(policy, message);
      message.forwards?.drop();
      return outcome;
    });
    const isKnown = !found.some((outcome) => outcome instanceof Promise);
    const known = isKnown ? (found as Outcome[]) : await Promise.all(found.map(async (outcome) => outcome));
    const ends = idempotency ? await Promise.all(messages.map(({ turn }, index) => endOf(turn, known[index]!))) : known;
    return ends.map((outcome, index) => (begun.has(messages[index]!) ? decided(messages[index]!.lease, outcome) : outcome));
  };
}

/** The messages of a batch are begun together, and by themselves: those that are done, or busy elsewhere, are not handed over. */
function beginning(rule: Idempotency<MessageAttempt>): Middleware<MessageAttempt> {
  return (next) => async (attempt) => {
    const turn = await begunTurn(rule, attempt);
    if (turn instanceof Verdict) return turn;
    attempt.turn = turn;
    return next(attempt);
  };
}

/** A batch belongs to no trace: a span of it has links to those of its messages, and a retry has one more. */
function spanned({ topic, group }: BatchPipelineParts): Middleware<BatchAttempt> {
  return (next) => (batch) => {
    const spans = presentSpans();
    if (spans === null) return next(batch);
    const sentIn = batch.messages.map(({ delivery }) => delivery.message.headers);
    return spans.around({ operation: 'process', target: topic.name, group, sentIn }, () => next(batch));
  };
}

function handedTo({ handle }: BatchPipelineParts): Step<BatchAttempt> {
  return (attempt) => {
    const { messages, signal, limit = signal, failures } = attempt;
    const items = messages.map((message) => new DeliveryContext(message.delivery, itemParts(message, attempt)));
    return handle(messages.map(({ payload }) => payload as object), new BatchContext(items, limit, failures));
  };
}

/** A message that it forwards may turn out not to be valid. */
function handledOrFailed(policy: RetryPolicy, message: MessageAttempt): Outcome | Promise<Outcome> {
  const outcome = handled(message);
  if (!(outcome instanceof Promise)) return outcome;
  return outcome.catch((thrown: unknown) => outcomeOfFailure(policy, message.number, thrown));
}

interface ItemParts {
  readonly memo: MemoPort | undefined;
  readonly isOver: boolean;
  readonly opened: Forwards;
}

/** The signal of each is that of its message's lease alone. It is over when the handler of all has ended. */
function itemParts(message: MessageAttempt, batch: BatchAttempt): ItemParts {
  return {
    memo: message.memo,
    get isOver() {
      return batch.isOver;
    },
    get opened() {
      return message.opened;
    },
  };
}

/** Runs the handler. @returns the error of each message that failed */
async function failuresIn(
  handle: Step<BatchAttempt>,
  messages: readonly MessageAttempt[],
): Promise<ReadonlyMap<MessageAttempt, unknown>> {
  const failures = new Map<number, unknown>();
  const lease = leaseOfAll(messages.map((message) => message.lease.signal));
  const batch: BatchAttempt = { messages, signal: lease.signal, failures, isOver: false };
  try {
    await handle(batch);
  } catch (thrown) {
    messages.forEach((_, index) => failures.has(index) || failures.set(index, thrown));
  } finally {
    batch.isOver = true;
    lease.end();
  }
  return new Map([...failures].map(([index, failure]) => [messages[index]!, failure]));
}
