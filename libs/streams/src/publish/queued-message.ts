import type { PublishResult } from '@millrace/core';
import type { PublishBudget } from './publish-budget.js';
import { PublishTally } from './publish-tally.js';

/** Claims idempotency keys for their topic. */
export interface Claimer {
  /** Resolves when the idempotency key of the message is claimed for it, or the message was rejected. It never rejects. */
  claim(item: KeyedMessage): Promise<void>;
}

/** The way of a keyed message to its partition. */
export interface KeyWay {
  readonly partition: number;
  /** Null when the message's own partition knows all uses of the key. */
  readonly claimer: Claimer | null;
  /** Called when the claim has to be tried again, so many milliseconds from now. */
  readonly onHeldUp: (pauseMs: number) => void;
}

export interface KeyUseParts extends KeyWay {
  readonly key: string;
  /** Digest of the message that is published with the key. */
  readonly digest: string;
}

/** The idempotency key of one message, and its claim. */
export class KeyUse {
  readonly key: string;
  readonly digest: string;
  /** Resolves when the key is claimed, or its message was rejected; null when there is nothing to claim. */
  claimed: Promise<void> | null = null;
  /** The number of the window in which it is claimed. */
  claimedIn: number | null = null;
  #way: KeyWay;

  constructor({ key, digest, ...way }: KeyUseParts) {
    this.key = key;
    this.digest = digest;
    this.#way = way;
  }

  get partition(): number {
    return this.#way.partition;
  }

  get onHeldUp(): KeyWay['onHeldUp'] {
    return this.#way.onHeldUp;
  }

  /** The message goes to another partition: its key is to be claimed for that one. */
  moveTo(way: KeyWay): void {
    this.#way = way;
    this.claimed = null;
    this.claimedIn = null;
  }

  /** Begins to claim the key for its message, anew if need be. */
  claimFor(item: KeyedMessage): void {
    const { claimer } = this.#way;
    if (claimer) this.claimed = claimer.claim(item);
  }
}

export interface QueuedMessageParts {
  readonly id: string;
  /** The text that decides about its partition. */
  readonly routingKey: string;
  /** Its envelope. */
  readonly text: string;
  readonly bytes: number;
  /** Deadline, by the monotonic clock, in whole milliseconds. */
  readonly giveUpAt: number;
  /** Due time, as `publish.lua` reads it; empty for now. */
  readonly due: string;
  readonly use: KeyUse | null;
  /** The budget that `bytes` were taken from. */
  readonly budget: PublishBudget;
  /** Absent: it stands for something that is no publish. */
  readonly tally?: PublishTally;
  /** When it was published, by the monotonic clock, in milliseconds; 0 or absent while nobody listens. */
  readonly publishedAtMs?: number;
}

/** A message on its way, from its publish until it is settled: waiting or sent -> resolved or rejected, once. */
export abstract class QueuedMessage {
  readonly id: string;
  readonly routingKey: string;
  readonly text: string;
  readonly bytes: number;
  readonly giveUpAt: number;
  readonly due: string;
  /** Null without an idempotency key. */
  readonly use: KeyUse | null;
  readonly #budget: PublishBudget;
  readonly #tally: PublishTally | undefined;
  readonly #publishedAtMs: number;
  #isOpen = true;

  constructor({ id, routingKey, text, bytes, giveUpAt, due, use, budget, tally, publishedAtMs = 0 }: QueuedMessageParts) {
    this.id = id;
    this.routingKey = routingKey;
    this.text = text;
    this.bytes = bytes;
    this.giveUpAt = giveUpAt;
    this.due = due;
    this.use = use;
    this.#budget = budget;
    this.#tally = tally;
    this.#publishedAtMs = publishedAtMs;
  }

  /** Whether its publish is neither resolved nor rejected. */
  get isOpen(): boolean {
    return this.#isOpen;
  }

  resolve(result: PublishResult): void {
    if (!this.#close()) return;
    if (PublishTally.isHeard) this.#tally?.add(result.duplicate ? 'duplicate' : 'ok', this.#publishedAtMs);
    this.resolved(result);
  }

  reject(error: Error): void {
    if (!this.#close()) return;
    if (PublishTally.isHeard) this.#tally?.add('error', this.#publishedAtMs);
    this.rejected(error);
  }

  protected abstract resolved(result: PublishResult): void;
  protected abstract rejected(error: Error): void;

  #close(): boolean {
    if (!this.#isOpen) return false;
    this.#isOpen = false;
    this.#budget.giveBack(this.bytes);
    return true;
  }
}

/** A message that was published by itself. */
export class LoneMessage extends QueuedMessage {
  readonly result: Promise<PublishResult>;
  #resolve!: (result: PublishResult) => void;
  #reject!: (error: Error) => void;

  constructor(parts: QueuedMessageParts) {
    super(parts);
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  protected override resolved(result: PublishResult): void {
    this.#resolve(result);
  }

  protected override rejected(error: Error): void {
    this.#reject(error);
  }
}

export type KeyedMessage = QueuedMessage & { readonly use: KeyUse };

export function isKeyed(item: QueuedMessage): item is KeyedMessage {
  return item.use !== null;
}

interface Over {
  /** Deadline of all messages. */
  readonly giveUpAt: number;
  readonly late: () => Error;
}

/** Rejects the messages whose deadline is before `moment` (monotonic clock, ms), and returns the other open ones. */
export function openAt<Item extends QueuedMessage>(items: readonly Item[], moment: number, over: Over): Item[] {
  for (const item of items) if (moment > Math.min(item.giveUpAt, over.giveUpAt)) item.reject(over.late());
  return items.filter(({ isOpen }) => isOpen);
}
