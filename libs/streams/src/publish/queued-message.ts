import { crc32 } from 'node:zlib';
import type { DueTime, OutgoingMessage, PublishResult } from '@millrace/core';
import { encodeEnvelope } from '../log/envelope.js';

/** A message on its way, from its publish until it is settled: waiting or sent -> resolved or rejected, once. */
export class QueuedMessage {
  readonly message: OutgoingMessage;
  readonly envelope: string;
  /** What it takes of the budget. */
  readonly bytes: number;
  /** Until when it is tried, by the monotonic clock, in milliseconds. */
  readonly giveUpAt: number;
  readonly result: Promise<PublishResult>;
  /** Called when it is settled. */
  onSettled: () => void = () => undefined;
  readonly #due: DueTime | null;
  #settle: { resolve: (result: PublishResult) => void; reject: (error: Error) => void } | null = null;

  constructor(message: OutgoingMessage, giveUpAt: number, due: DueTime | null = null) {
    this.message = message;
    this.#due = due;
    this.envelope = encodeEnvelope(message);
    this.bytes = Buffer.byteLength(this.envelope);
    this.giveUpAt = giveUpAt;
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
    const { idempotencyKey, id, payloadJson } = this.message;
    const digest = idempotencyKey === null ? '' : crc32(payloadJson).toString(36);
    return [idempotencyKey ?? '', digest, id, this.envelope, dueText(this.#due)];
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

function dueText(due: DueTime | null): string {
  if (due === null) return '';
  return 'inMs' in due ? `+${due.inMs}` : String(due.atMs);
}
