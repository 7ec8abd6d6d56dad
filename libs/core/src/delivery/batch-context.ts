import { MillraceError } from '../errors.js';
import { quote } from '../names.js';
import type { DeliveryContext } from './context.js';

/** The second argument of a batch handler: everything about the batch beside its payloads. */
export class BatchContext {
  /** One context for each payload, in their order. The signal of each is that of its message's lease alone. */
  readonly items: readonly DeliveryContext[];
  /**
   * Aborts when nothing that follows counts for any message of the batch: stop then. Its reason is a MillraceError with the
   * code STATE_LOST, all were taken away from this process; CLOSED, the process stops and they go back; or TIMEOUT, the
   * handler's `timeout` has passed.
   */
  readonly signal: AbortSignal;
  readonly #failures: Map<number, unknown>;

  /** @param failures where {@link fail} notes what failed */
  constructor(items: readonly DeliveryContext[], signal: AbortSignal, failures: Map<number, unknown>) {
    this.items = items;
    this.signal = signal;
    this.#failures = failures;
  }

  /**
   * Says that one message failed, as if its own handler had thrown `error`: the policy decides, and `RetryLater`, `DeadLetter`
   * and `Discard` do what they say. The others are not touched. The last word on a message counts.
   *
   * @param index of the payload, from 0
   * @throws MillraceError INVALID_INPUT when the batch has no such payload
   */
  fail(index: number, error: unknown): void {
    if (!Number.isInteger(index) || !this.items[index]) {
      throw new MillraceError('INVALID_INPUT', `ctx.fail(${quote(index)}): this batch has the payloads 0 to ${this.items.length - 1}.`);
    }
    this.#failures.set(index, error);
  }
}
