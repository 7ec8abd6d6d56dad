import { type DueTime, MillraceError, type Outgoing, type OutgoingMessage, useDigest } from '@millrace/core';
import { encodeEnvelope } from '../log/envelope.js';
import type { PublishBudget } from './publish-budget.js';
import { PublishTally, tellRefused } from './publish-tally.js';
import { routingKeyOf } from './partitioner.js';
import { type Claimer, type KeyedMessage, KeyUse, type QueuedMessageParts } from './queued-message.js';
import { bufferFull } from './refusals.js';

export interface AdmissionParts {
  readonly topic: string;
  readonly partition: number;
  /** Default deadline of a publish. */
  readonly deadlineMs: number;
  /** Shared by all partitions. */
  readonly budget: PublishBudget;
}

/** Admits messages that are published to one partition, as long as the budget has room for them. */
export class Admission {
  readonly #parts: AdmissionParts;
  readonly #onHeldUp: (pauseMs: number) => void;
  readonly #tally: PublishTally;

  /** @param onHeldUp called when a claim has to be tried again, so many milliseconds from then */
  constructor(parts: AdmissionParts, onHeldUp: (pauseMs: number) => void) {
    this.#parts = parts;
    this.#onHeldUp = onHeldUp;
    this.#tally = new PublishTally(parts.topic);
  }

  /** @returns an error when the budget has no room for the message */
  admit({ message, sendOptions }: Outgoing, claimer: Claimer | null): QueuedMessageParts | MillraceError {
    const { topic, budget, deadlineMs } = this.#parts;
    const text = encodeEnvelope(message);
    const bytes = Buffer.byteLength(text);
    if (!budget.take(bytes)) {
      tellRefused(topic);
      return bufferFull(topic, budget.bytes);
    }
    const nowMs = performance.now();
    const giveUpAt = Math.floor(nowMs + (sendOptions?.deadlineMs ?? deadlineMs));
    const use = message.idempotencyKey === null ? null : this.#useOf(message, claimer);
    const due = dueText(sendOptions?.due);
    // A number with a fraction takes memory of its own for each message.
    const publishedAtMs = PublishTally.isHeard ? nowMs : 0;
    const { id } = message;
    return { id, routingKey: routingKeyOf(message), text, bytes, giveUpAt, due, use, budget, tally: this.#tally, publishedAtMs };
  }

  /** Takes over a message that another partition was to get. */
  takeOver({ use }: KeyedMessage, claimer: Claimer | null): void {
    use.moveTo({ partition: this.#parts.partition, claimer, onHeldUp: this.#onHeldUp });
  }

  #useOf(message: OutgoingMessage, claimer: Claimer | null): KeyUse {
    const { partition } = this.#parts;
    return new KeyUse({ key: message.idempotencyKey!, digest: useDigest(message), partition, claimer, onHeldUp: this.#onHeldUp });
  }
}

/** A due time, as `publish.lua` reads it; empty for now. */
export function dueText(due: DueTime | undefined): string {
  if (due === undefined) return '';
  return 'inMs' in due ? `+${due.inMs}` : String(due.atMs);
}
