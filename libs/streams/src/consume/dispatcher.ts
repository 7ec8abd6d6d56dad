import { type Delivery, type DeliveryHandler, emit, MillraceError, type Outcome } from '@millrace/core';
import type { HeldEntries } from './held-entries.js';
import { releaseOf, settlementOf, unhandledOutcome } from './settlement.js';
import type { Settler } from './settler.js';
import type { Work } from './work.js';

export interface DispatcherParts {
  readonly handler: DeliveryHandler;
  readonly settler: Settler;
  readonly held: HeldEntries;
  /** Handlers at once. */
  readonly concurrency: number;
  readonly crashLimit: number;
  /** Called when a message has been scheduled for another attempt. */
  readonly retryScheduled: () => void;
}

/** Hands messages to the handler, as many at once as there are slots, and has their outcomes settled. */
export class Dispatcher {
  readonly #parts: DispatcherParts;
  readonly #queue: Work[] = [];
  readonly #running = new Set<Promise<void>>();
  #paused = false;
  #onFree: (() => void) | null = null;

  constructor(parts: DispatcherParts) {
    this.#parts = parts;
  }

  /** How many more messages may be fetched. */
  get freeSlots(): number {
    return this.#paused ? 0 : Math.max(0, this.#parts.concurrency - this.#running.size - this.#queue.length);
  }

  /** Resolves when there is a free slot, or when the signal aborts. */
  async whenFree(signal: AbortSignal): Promise<void> {
    const wake = (): void => this.#onFree?.();
    signal.addEventListener('abort', wake);
    while (this.freeSlots === 0 && !signal.aborted) {
      await new Promise<void>((resolve) => {
        this.#onFree = resolve;
      });
    }
    signal.removeEventListener('abort', wake);
  }

  add(work: readonly Work[]): void {
    this.#queue.push(...work);
    this.#startNext();
  }

  /** Starts no handler from now on. */
  pause(): void {
    this.#paused = true;
  }

  /** What was fetched and waits for a handler to be started. */
  takeWaiting(): Work[] {
    return this.#queue.splice(0);
  }

  /** Resolves when every handler that was started has ended and is settled. */
  async drain(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running);
  }

  /** Gives messages back to the group at once, without counting an attempt. */
  async release(work: readonly Work[]): Promise<void> {
    await Promise.all(work.map((item) => this.#parts.settler.settle(item, releaseOf(item))));
  }

  #startNext(): void {
    while (!this.#paused && this.#running.size < this.#parts.concurrency && this.#queue.length > 0) {
      const work = this.#queue.shift()!;
      const run = this.#process(work).finally(() => {
        this.#running.delete(run);
        this.#startNext();
        this.#onFree?.();
      });
      this.#running.add(run);
    }
  }

  /** Handle, then settle: what lost its lease while it waited for a slot is not begun. */
  async #process(work: Work): Promise<void> {
    if (!this.#parts.held.mayBegin(work.entry)) return;
    const outcome = await this.#outcome(work);
    tellOfFailure(work, outcome);
    await this.#parts.settler.settle(work, settlementOf(work, outcome));
    if (outcome.kind === 'retry') this.#parts.retryScheduled();
  }

  async #outcome(work: Work): Promise<Outcome> {
    if (work.message instanceof Error) return unhandledOutcome('MALFORMED_ENVELOPE', work.message);
    if (work.crashes >= this.#parts.crashLimit) return unhandledOutcome('CRASH_LOOP', crashLoop(work));
    try {
      return await this.#parts.handler(deliveryOf(work, work.message));
    } catch (thrown) {
      return unhandledOutcome('HANDLER_DEFECT', thrown);
    }
  }
}

function deliveryOf(work: Work, message: Delivery['message']): Delivery {
  const { topic, partition, group } = work.entry.stream.partition;
  const { offset, attempt, crashes, entry } = work;
  return { message, topic, partition, offset, group, attempt, crashes, signal: entry.signal };
}

function crashLoop(work: Work): MillraceError {
  return new MillraceError(
    'CRASH_LOOP',
    `The process that handled this message vanished ${work.crashes} times before it settled it. It is given up so that it takes no more processes down.`,
  );
}

function tellOfFailure(work: Work, outcome: Outcome): void {
  if (outcome.kind === 'ack') return;
  const { topic, partition, group } = work.entry.stream.partition;
  emit('attempt-failed', {
    topic,
    partition,
    group,
    messageId: work.message instanceof Error ? '' : work.message.id,
    attempt: work.attempt,
    error: outcome.error,
    outcome: outcome.kind,
    ...(outcome.kind === 'retry' ? { delayMs: outcome.delayMs } : {}),
  });
}
