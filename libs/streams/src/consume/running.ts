import type { PendingDelivery } from './pending-delivery.js';

const NOTHING: readonly PendingDelivery[] = [];

/** A batch, and the part of it that is in the hands of a handler. */
interface Taken {
  readonly batch: readonly PendingDelivery[];
  begun: readonly PendingDelivery[];
}

/** The batches that have a slot: taken -> begun -> handled -> ended, or given up. Moments are by the monotonic clock. */
export class Running {
  /** By the first message of each: an array as a key costs ten times as much. */
  readonly #taken = new Map<PendingDelivery, Taken>();
  readonly #slots: number;
  #messages = 0;
  /** Since when every slot has been taken without one handler ending; null while one is free. */
  #fullSinceMs: number | null = null;

  /** @param slots batches at once */
  constructor(slots: number) {
    this.#slots = slots;
  }

  /** Batches. */
  get size(): number {
    return this.#taken.size;
  }

  get messages(): number {
    return this.#messages;
  }

  get isFull(): boolean {
    return this.size >= this.#slots;
  }

  /** How long every slot has been taken without one handler ending, in milliseconds; 0 while one is free. */
  fullMs(nowMs: number): number {
    return this.#fullSinceMs === null ? 0 : nowMs - this.#fullSinceMs;
  }

  add(batch: readonly PendingDelivery[], nowMs: number): void {
    this.#taken.set(batch[0]!, { batch, begun: NOTHING });
    this.#messages += batch.length;
    if (this.isFull) this.#fullSinceMs ??= nowMs;
  }

  /** @param begun what of the batch a handler is given */
  begin(batch: readonly PendingDelivery[], begun: readonly PendingDelivery[]): void {
    const taken = this.#taken.get(batch[0]!);
    if (taken) taken.begun = begun;
  }

  /** Its handler has ended. @returns what it was given; nothing when that was given up before: the handler decides nothing */
  handled(batch: readonly PendingDelivery[]): readonly PendingDelivery[] {
    const taken = this.#taken.get(batch[0]!);
    if (!taken) return NOTHING;
    const { begun } = taken;
    taken.begun = NOTHING;
    return begun;
  }

  /** It takes no slot any more. @returns false when it took none already */
  end(batch: readonly PendingDelivery[]): boolean {
    if (!this.#taken.delete(batch[0]!)) return false;
    this.#messages -= batch.length;
    this.#fullSinceMs = null;
    return true;
  }

  /** Batches whose handler is still at work, with what it was given. */
  atWork(): [batch: readonly PendingDelivery[], begun: readonly PendingDelivery[]][] {
    return [...this.#taken.values()].filter(({ begun }) => begun.length > 0).map(({ batch, begun }) => [batch, begun]);
  }
}
