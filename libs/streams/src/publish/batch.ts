import { crc32 } from 'node:zlib';
import { IdempotencyMismatchError, MillraceError, type OutgoingMessage, type PublishResult } from '@millrace/core';
import { encodeEnvelope } from '../log/envelope.js';

export interface QueuedMessage {
  readonly message: OutgoingMessage;
  readonly envelope: string;
  /** By the monotonic clock, in milliseconds. */
  readonly queuedAt: number;
  readonly resolve: (result: PublishResult) => void;
  readonly reject: (error: Error) => void;
}

/** The arguments of one message for `publish.lua`. */
export function batchArguments({ message, envelope }: QueuedMessage): string[] {
  const digest = message.idempotencyKey === null ? '' : crc32(message.payloadJson).toString(36);
  return [message.idempotencyKey ?? '', digest, message.id, envelope];
}

export function queued(message: OutgoingMessage): Promise<PublishResult> & { entry: QueuedMessage } {
  let entry!: QueuedMessage;
  const promise = new Promise<PublishResult>((resolve, reject) => {
    entry = { message, envelope: encodeEnvelope(message), queuedAt: performance.now(), resolve, reject };
  });
  return Object.assign(promise, { entry });
}

/** Answers every publish of a batch from the reply of `publish.lua`: one line a message. */
export function settleBatch(batch: readonly QueuedMessage[], place: { topic: string; partition: number }, reply: string): void {
  const lines = reply.split('\n');
  if (lines.length !== batch.length) {
    const error = new MillraceError('REDIS_FAILED', `publish.lua answered ${lines.length} lines for ${batch.length} messages: ${reply.slice(0, 100)}`);
    for (const { reject } of batch) reject(error);
    return;
  }
  batch.forEach((item, index) => settleOne(item, place, lines[index]!));
}

function settleOne(item: QueuedMessage, place: { topic: string; partition: number }, line: string): void {
  const [offset = '', firstId = item.message.id] = line.slice(1).split(' ');
  if (line.startsWith('!')) {
    item.reject(
      new IdempotencyMismatchError(
        `The idempotency key '${item.message.idempotencyKey}' was used for another payload on topic '${place.topic}' (message ${firstId}). ` +
          'Nothing was stored. Use another key for another payload.',
      ),
    );
    return;
  }
  item.resolve({ id: firstId, partition: place.partition, offset: Number(offset), duplicate: line.startsWith('=') });
}
