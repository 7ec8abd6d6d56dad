import { MillraceError } from '@millrace/core';
import type { QueuedMessage } from './queued-message.js';
import { mismatch } from './refusals.js';

/** In place of the offset of what gets one later. */
const DELAYED = '-';

/** Answers every publish of a batch from the reply of `publish.lua`: one line a message. */
export function settleBatch(batch: readonly QueuedMessage[], place: { topic: string; partition: number }, reply: string): void {
  const lines = reply.split('\n');
  if (lines.length !== batch.length) {
    const error = new MillraceError('REDIS_FAILED', `publish.lua answered ${lines.length} lines for ${batch.length} messages: ${reply.slice(0, 100)}`);
    for (const item of batch) item.reject(error);
    return;
  }
  batch.forEach((item, index) => settleOne(item, place, lines[index]!));
}

function settleOne(item: QueuedMessage, { topic, partition }: { topic: string; partition: number }, line: string): void {
  const answer = line.slice(1);
  if (line.startsWith('!')) {
    item.reject(mismatch(topic, item.message, answer));
    return;
  }
  const [offset = '', firstId = item.message.id] = answer.split(' ');
  item.resolve({ id: firstId, partition, offset: offset === DELAYED ? null : Number(offset), duplicate: line.startsWith('=') });
}
