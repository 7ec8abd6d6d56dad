import { type DueTime, jsonDigest, type OutgoingMessage, type PublishResult } from '@millrace/core';
import { encodeEnvelope } from '../log/envelope.js';

/** Claims idempotency keys for their topic. */
export interface Claimer {
  /** Resolves when the idempotency key of the message is claimed for it, or the message was rejected. It never rejects. */
  claim(item: QueuedMessage): Promise<void>;
}

export interface QueuedMessageParts {
  readonly message: OutgoingMessage;
  readonly partition: number;
  /** Until when it is tried, by the monotonic clock, in milliseconds. */
  readonly giveUpAt: number;
  readonly due?: DueTime | undefined;
  /** Absent: its own partition knows all uses of its idempotency key, or it has none. */
  readonly claimer?: Claimer | null;
}

/** A message on its way, from its publish until it is settled: waiting or sent -> resolved or rejected, once. */
export class QueuedMessage {
  readonly message: OutgoingMessage;
  readonly partition: number;
  readonly envelope: string;
  /** What it takes of the budget. */
  readonly bytes: number;
  readonly giveUpAt: number;
  /** Tells what is published with its idempotency key from anything else; empty without one. */
  readonly digest: string;
  readonly result: Promise<PublishResult>;
  /** Resolves when its idempotency key is claimed, or it was rejected; null when there is nothing to claim. */
  claimed: Promise<void> | null = null;
  /** The number of the window in which its idempotency key is claimed. */
  claimedIn: number | null = null;
  /** Called when it is settled. */
  onSettled: () => void = () => undefined;
  /** Called when its claim has to be tried again, so many milliseconds from now. */
  onHeldUp: (pauseMs: number) => void = () => undefined;
  readonly #claimer: Claimer | null;
  readonly #due: DueTime | null;
  #settle: { resolve: (result: PublishResult) => void; reject: (error: Error) => void } | null = null;

  constructor({ message, partition, giveUpAt, due, claimer = null }: QueuedMessageParts) {
    this.message = message;
    this.partition = partition;
    this.#due = due ?? null;
    this.envelope = encodeEnvelope(message);
    this.bytes = Buffer.byteLength(this.envelope);
    this.giveUpAt = giveUpAt;
    this.digest = message.idempotencyKey === null ? '' : digestOf(message);
    this.#claimer = claimer;
    this.result = new Promise((resolve, reject) => {
      this.#settle = { resolve, reject };
    });
  }

  /** Whether somebody still waits for it. */
  get isOpen(): boolean {
    return this.#settle !== null;
  }

  /** Its arguments for `publish.lua`. */
  get arguments(): string[] {
    const { idempotencyKey, id } = this.message;
    return [idempotencyKey ?? '', this.digest, id, this.envelope, dueText(this.#due)];
  }

  /** Begins to claim its idempotency key, anew if need be. */
  claim(): void {
    if (this.#claimer) this.claimed = this.#claimer.claim(this);
  }

  resolve(result: PublishResult): void {
    this.#take()?.resolve(result);
  }

  reject(error: Error): void {
    this.#take()?.reject(error);
  }

  #take(): { resolve: (result: PublishResult) => void; reject: (error: Error) => void } | null {
    const settle = this.#settle;
    this.#settle = null;
    if (settle) this.onSettled();
    return settle;
  }
}

interface Over {
  /** Until when anything is tried at all. */
  readonly giveUpAt: number;
  readonly late: () => Error;
}

/** Rejects what is over at `moment` (by the monotonic clock, in milliseconds), and returns what is still waited for. */
export function openAt(items: readonly QueuedMessage[], moment: number, over: Over): QueuedMessage[] {
  for (const item of items) if (moment > Math.min(item.giveUpAt, over.giveUpAt)) item.reject(over.late());
  return items.filter(({ isOpen }) => isOpen);
}

/** The key decides where it lands, and the type as what it is handled: with another one it is another message. */
function digestOf({ key, type, payloadJson }: OutgoingMessage): string {
  return jsonDigest([key, type, JSON.parse(payloadJson)]);
}

function dueText(due: DueTime | null): string {
  if (due === null) return '';
  return 'inMs' in due ? `+${due.inMs}` : String(due.atMs);
}
