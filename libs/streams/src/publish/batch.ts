import { MillraceError } from '@millrace/core';
import { ENVELOPE_SEPARATOR } from '../log/envelope.js';
import { isKeyed, type QueuedMessage } from './queued-message.js';
import { mismatch } from './refusals.js';

/** In place of the offset of a delayed message. */
const DELAYED = '-';

export interface Place {
  readonly topic: string;
  readonly partition: number;
}

interface Stored {
  /** The reply of `publish.lua`. */
  readonly reply: string;
  /** Why the requested durability is not confirmed. */
  readonly unconfirmed: MillraceError | null;
}

/** The messages of a batch as entries of that many messages; the last entry has the rest. */
export function entriesOf(batch: readonly Pick<QueuedMessage, 'text'>[], perEntry: number): string[] {
  const texts = batch.map(({ text }) => text);
  if (perEntry === 1) return texts.map((text) => `[${text}]`);
  const entries: string[] = [];
  for (let from = 0; from < texts.length; from += perEntry) {
    entries.push(`[${texts.slice(from, from + perEntry).join(ENVELOPE_SEPARATOR)}]`);
  }
  return entries;
}

/** The idempotency keys of a batch, as `publish.lua` reads them. */
export function usesOf(batch: readonly QueuedMessage[]): string {
  const keyed = batch.filter(isKeyed);
  if (keyed.length === 0) return '';
  const parts: unknown[] = [keyed.map(({ use }) => use.key), keyed.map(({ use, id }) => `${use.digest} ${id}`).join('\n')];
  if (keyed.length < batch.length) parts.push(batch.flatMap((item, index) => (isKeyed(item) ? index + 1 : [])));
  return JSON.stringify(parts);
}

/** When the messages of a batch are due, as `publish.lua` reads it. */
export function duesOf(batch: readonly Pick<QueuedMessage, 'due'>[]): string {
  return batch.every(({ due }) => due === '') ? '' : JSON.stringify(batch.map(({ due }) => due));
}

/** Answers every publish of a batch that is stored. */
export function settleStored(batch: readonly QueuedMessage[], place: Place, { reply, unconfirmed }: Stored): void {
  if (unconfirmed) rejectAll(batch, unconfirmed);
  else settleBatch(batch, place, reply);
}

function settleBatch(batch: readonly QueuedMessage[], place: Place, reply: string): void {
  if (/^\+\d+$/.test(reply)) {
    const base = Number(reply);
    const { partition } = place;
    batch.forEach((item, index) => item.resolve({ id: item.id, partition, offset: base + index, duplicate: false }));
    return;
  }
  const lines = reply.split('\n');
  if (lines.length === batch.length) batch.forEach((item, index) => settleOne(item, place, lines[index]!));
  else rejectAll(batch, noAnswers(lines.length, batch.length, reply));
}

function noAnswers(lines: number, messages: number, reply: string): MillraceError {
  return new MillraceError('REDIS_FAILED', `publish.lua answered ${lines} lines for ${messages} messages: ${reply.slice(0, 100)}`);
}

export function rejectAll(batch: readonly QueuedMessage[], error: Error): void {
  for (const item of batch) item.reject(error);
}

function settleOne(item: QueuedMessage, { topic, partition }: Place, line: string): void {
  const answer = line.slice(1);
  if (line.startsWith('!')) {
    item.reject(mismatch(topic, item.use?.key ?? '', answer));
    return;
  }
  const [offset = '', firstId = item.id] = answer.split(' ');
  item.resolve({ id: firstId, partition, offset: offset === DELAYED ? null : Number(offset), duplicate: line.startsWith('=') });
}

/** The number of the oldest window in which idempotency keys of the batch are claimed; empty when none had to be. */
export function oldestClaim(batch: readonly QueuedMessage[]): number | '' {
  const windows = batch.flatMap(({ use }) => use?.claimedIn ?? []);
  return windows.length === 0 ? '' : Math.min(...windows);
}

/** How long the batch may be in doubt, in milliseconds: Redis has to remember the producer for longer than that. */
export function longestTime(batch: readonly QueuedMessage[]): number {
  const latest = batch.reduce((most, { giveUpAt }) => Math.max(most, giveUpAt), 0);
  return Math.max(0, Math.ceil(latest - performance.now()));
}
