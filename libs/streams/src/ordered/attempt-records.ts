import { emit, errorRecord } from '@millrace/core';
import { loadScript, type RedisConnection, type Topology } from '@millrace/redis';
import type { GroupPartition } from '../consume/group-partition.js';
import type { History, PendingDelivery } from '../consume/pending-delivery.js';
import { pairs } from '../log/pairs.js';

const noteAttempt = loadScript('../scripts/note-attempt.lua', import.meta.url);

/** Fields of the group's hash `control`. */
const FIELD = 'tried:';

/** The attempts of a message that its owner keeps, as the next owner is to know them. */
export interface AttemptRecord extends History {
  /** Whether it was about to be handled, when it was known that a process had vanished with it. */
  readonly isBegun: boolean;
  /** When it is due for the next attempt, in Unix milliseconds, and how long it was to wait for that, whatever the clocks say. */
  readonly dueAtMs: number;
  readonly delayMs: number;
}

export const NEVER_TRIED: AttemptRecord = { attempt: 1, crashes: 0, firstFailedAt: null, isBegun: false, dueAtMs: 0, delayMs: 0 };

export interface AttemptRecordsParts {
  readonly redis: Topology;
  readonly member: string;
}

/** What Redis knows of messages that stay with their owner after an attempt, so that it is not lost with that owner. */
export class AttemptRecords {
  readonly #parts: AttemptRecordsParts;

  constructor(parts: AttemptRecordsParts) {
    this.#parts = parts;
  }

  /** The records of all messages of a partition, by name. */
  async load(place: GroupPartition): Promise<Map<string, AttemptRecord>> {
    const fields = pairs((await this.#redisOf(place).call('HGETALL', place.groupKeys.control)) as string[]);
    const records = new Map<string, AttemptRecord>();
    for (const [field, text] of fields) {
      const record = field.startsWith(FIELD) ? recordOf(text) : null;
      if (record) records.set(field.slice(FIELD.length), record);
    }
    return records;
  }

  /** @returns false when the member does not own the partition any more, under the epoch of the message */
  async note(delivery: PendingDelivery, state: Omit<AttemptRecord, keyof History>): Promise<boolean> {
    const { stream, ownerEpoch } = delivery.entry;
    const token = `${this.#parts.member} ${ownerEpoch}`;
    const args = [token, delivery.name, textOf({ ...historyOf(delivery), ...state })];
    delivery.isNoted = true;
    return (await this.#redisOf(stream.partition).run(noteAttempt, [stream.partition.groupKeys.control], args)) === 1;
  }

  /** Marks a message whose process vanished as one that begins. @returns false when it is another's by now */
  begin(delivery: PendingDelivery): Promise<boolean> {
    return this.note(delivery, { isBegun: true, dueAtMs: 0, delayMs: 0 });
  }

  /** Never rejects: without the record the next owner counts an attempt less. */
  async keep(delivery: PendingDelivery, delayMs: number): Promise<void> {
    try {
      await this.note(delivery, { isBegun: false, dueAtMs: Date.now() + delayMs, delayMs });
    } catch (error) {
      const { topic, partition, group } = delivery;
      emit('loop-failed', { topic, partition, group, loop: 'note-attempt', error: errorRecord(error), failures: 1 });
    }
  }

  #redisOf({ keys }: GroupPartition): RedisConnection {
    return this.#parts.redis.publishFor(keys.log);
  }
}

function historyOf({ attempt, crashes, firstFailedAt }: PendingDelivery): History {
  return { attempt, crashes, firstFailedAt };
}

function textOf({ attempt, crashes, firstFailedAt, isBegun, dueAtMs, delayMs }: AttemptRecord): string {
  return [attempt, crashes, firstFailedAt ?? '-', isBegun ? 1 : 0, dueAtMs, delayMs].join(' ');
}

/** Null for a text that is damaged. */
function recordOf(text: string): AttemptRecord | null {
  const parts = /^([1-9]\d*) (\d+) (\d+|-) ([01]) (\d+) (\d+)$/.exec(text);
  if (!parts) return null;
  const [, attempt, crashes, firstFailedAt, begun, due, delay] = parts;
  return {
    attempt: Number(attempt),
    crashes: Number(crashes),
    firstFailedAt: firstFailedAt === '-' ? null : Number(firstFailedAt),
    isBegun: begun === '1',
    dueAtMs: Number(due),
    delayMs: Number(delay),
  };
}
