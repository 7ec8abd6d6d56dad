import type { PendingDelivery } from './pending-delivery.js';

const NOTHING: readonly PendingDelivery[] = [];

/** A batch, and the part of it that is in the hands of a handler. */
interface Taken {
  readonly batch: readonly PendingDelivery[];
  begun: readonly PendingDelivery[];
}

/** The batches that have a slot: taken, begun, handled, ended, or given up. Moments are by the monotonic clock. */
export class Running {
  /** By the first message of each batch: an array as a key costs ten times as much. */
  readonly #taken = new Map<PendingDelivery, Taken>();
  readonly #slots: number;
  #messages = 0;
  /** Since when all slots have been taken and no handler has ended; null while a slot is free. */
  #fullSinceMs: number | null = null;

  /** @param slots most batches at once */
  constructor(slots: number) {
    this.#slots = slots;
  }

  /** The number of batches. */
  get size(): number {
    return this.#taken.size;
  }

  get messages(): number {
    return this.#messages;
  }

  get isFull(): boolean {
    return this.size >= this.#slots;
  }

  /** For how many milliseconds all slots have been taken and no handler has ended; 0 while a slot is free. */
  fullMs(nowMs: number): number {
    return this.#fullSinceMs === null ? 0 : nowMs - this.#fullSinceMs;
  }

  add(batch: readonly PendingDelivery[], nowMs: number): void {
    this.#taken.set(batch[0]!, { batch, begun: NOTHING });
    this.#messages += batch.length;
    if (this.isFull) this.#fullSinceMs ??= nowMs;
  }

  /** @param begun the messages of the batch that a handler is given */
  begin(batch: readonly PendingDelivery[], begun: readonly PendingDelivery[]): void {
    const taken = this.#taken.get(batch[0]!);
    if (taken) taken.begun = begun;
  }

  /** The handler of a batch has ended. @returns its messages; none when they were given up before: then it decides nothing */
  handled(batch: readonly PendingDelivery[]): readonly PendingDelivery[] {
    const taken = this.#taken.get(batch[0]!);
    if (!taken) return NOTHING;
    const { begun } = taken;
    taken.begun = NOTHING;
    return begun;
  }

  /** The batch gives up its slot. @returns false when it had none any more */
  end(batch: readonly PendingDelivery[]): boolean {
    if (!this.#taken.delete(batch[0]!)) return false;
    this.#messages -= batch.length;
    this.#fullSinceMs = null;
    return true;
  }

  /** Batches whose handler is still at work, with the messages that it was given. */
  atWork(): [batch: readonly PendingDelivery[], begun: readonly PendingDelivery[]][] {
    return [...this.#taken.values()].filter(({ begun }) => begun.length > 0).map(({ batch, begun }) => [batch, begun]);
  }
}
