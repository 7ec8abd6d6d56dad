import { emit, errorRecord, type Outcome } from '@millrace/core';
import { loadScript, type RedisConnection, type Topology } from '@millrace/redis';
import type { GroupPartition } from '../consume/group-partition.js';
import type { PendingDelivery } from '../consume/pending-delivery.js';
import { SETTLED_PAGE_OFFSETS, settledKey } from '../keys.js';
import { pairs } from '../log/pairs.js';
import { epochIn } from '../own/owner-record.js';
import { type AttemptRecord, attemptRecordOf, attemptText } from './attempt-record.js';
import { parkedKeysOf, type ParkedState } from './parked-keys.js';
import { keyIn } from './parked-names.js';

/** Field of the hash `control`. */
const ORDER = 'order';
/** The last orders that Redis has: `order.lua` has the same number. */
const KEPT_ORDERS = 64;

const note = loadScript('../scripts/note.lua', import.meta.url);
const forgetDeath = loadScript('../scripts/forget-death.lua', import.meta.url);

/** How a message is given up. */
export type GivenUp = Extract<Outcome, { kind: 'dead-letter' }>;

/** The message at which a partition stopped, and how it would be given up. */
export interface StoppedAt {
  readonly name: string;
  readonly givenUp: GivenUp;
  /** Null where it is not known, as of one that cannot be read. */
  readonly messageId: string | null;
}

type Place = Pick<PendingDelivery, 'topic' | 'partition' | 'group'>;

/** The notes of the owners of a partition about messages that stay there. */
export interface Notes {
  /** By name of the message. */
  readonly attempts: Map<string, AttemptRecord>;
  /** By name of the message: an operator wants it to be a dead letter. */
  readonly givenUp: ReadonlyMap<string, GivenUp>;
  readonly stoppedAt: StoppedAt | null;
  /** The epoch of the last owner that died, while its death is not counted in full; else null. */
  readonly death: number | null;
  /** Keys whose messages wait for an operator. */
  readonly parked: Map<string, ParkedState>;
  /** The number of the last order of an operator that is in them; empty before the first. */
  readonly order: string;
}

export interface OwnerNotesParts {
  readonly redis: Topology;
  readonly prefix: string;
  readonly member: string;
}

/** Keeps in Redis the state of messages that stay with the owner of their partition, so that it is not lost with that owner. */
export class OwnerNotes {
  readonly #parts: OwnerNotesParts;
  #stops = 0;

  constructor(parts: OwnerNotesParts) {
    this.#parts = parts;
  }

  /** The number of the order is read first: an order that comes meanwhile has a higher one, and is looked for once more. */
  async load(place: GroupPartition): Promise<Notes> {
    const fields = (await this.#redisOf(place).call('HGETALL', place.groupKeys.control)) as string[];
    return notesIn(pairs(fields), await this.parked(place));
  }

  parked(place: GroupPartition): Promise<Map<string, ParkedState>> {
    return parkedKeysOf(this.#redisOf(place), place);
  }

  /** The number of the last order of an operator about this partition, empty before the first; and whether it stands still. */
  async orders(place: GroupPartition): Promise<{ readonly order: string; readonly isStopped: boolean }> {
    const found = await this.#redisOf(place).call('HMGET', place.groupKeys.control, ORDER, 'stopped');
    const [order, stopped] = found as (string | null)[];
    return { order: order ?? '', isStopped: stopped !== null };
  }

  /**
   * Keys that were released by some orders. Where Redis does not have those any more, all keys of which messages are put aside.
   *
   * @param after the number of the last order that is known already
   * @param upTo the number of the last order that is wanted
   */
  async releasedBy(place: GroupPartition, after: string, upTo: string): Promise<ReadonlyMap<string, ParkedState>> {
    const [from, count] = [Number(after) + 1, Number(upTo) - Number(after)];
    if (!(count > 0 && count <= KEPT_ORDERS)) return this.parked(place);
    const numbers = Array.from({ length: count }, (_, index) => from + index);
    const fields = numbers.map((number) => `${ORDER}:${number % KEPT_ORDERS}`);
    const orders = (await this.#redisOf(place).call('HMGET', place.groupKeys.control, ...fields)) as (string | null)[];
    const found = new Map<string, ParkedState>();
    for (const [index, order] of orders.entries()) {
      const [number, key] = order?.split(' ') ?? [];
      if (number !== String(numbers[index])) return this.parked(place);
      if (key !== undefined) found.set(keyIn(key), 'released');
    }
    return found;
  }

  /** The death of an owner is counted. Never rejects: what stays is forgotten when the partition is released. */
  async forgetDeath(place: GroupPartition, epoch: number): Promise<void> {
    const forgetting = this.#redisOf(place).run(forgetDeath, [place.groupKeys.control], [epoch]);
    await forgetting.catch((error: unknown) => reportLoop(place, error));
  }

  /** Marks a message whose process vanished as one that begins. @returns false when it is another's by now */
  begin(delivery: PendingDelivery): Promise<boolean> {
    return this.#attempt(delivery, { begunIn: delivery.entry.ownerEpoch ?? 0, dueAtMs: 0, delayMs: 0 });
  }

  /**
   * Never rejects: without the record the next owner counts an attempt less.
   *
   * @returns false when Redis says that the message is another's by now, or settled
   */
  async keep(delivery: PendingDelivery, delayMs: number): Promise<boolean> {
    try {
      return await this.#attempt(delivery, { begunIn: 0, dueAtMs: Date.now() + delayMs, delayMs }, '1');
    } catch (error) {
      reportLoop(delivery, error);
      return true;
    }
  }

  /**
   * A call that notes that the partition stops at a message. It may be repeated, and stops the partition once.
   *
   * @returns the call, which says false when the partition is another's by now, or an operator has let it go on
   */
  stopping(delivery: PendingDelivery, givenUp: GivenUp): () => Promise<boolean> {
    this.#stops += 1;
    const call = `${this.#parts.member} ${this.#stops}`;
    const text = JSON.stringify({ ...givenUp, messageId: delivery.message.id || null });
    return () => this.#note(delivery, ['stopped', `${delivery.name} ${text}`, ''], [call]);
  }

  #attempt(delivery: PendingDelivery, state: Parameters<typeof attemptText>[1], counts = ''): Promise<boolean> {
    delivery.isNoted = true;
    return this.#note(delivery, [`tried:${delivery.name}`, attemptText(delivery, state), counts]);
  }

  async #note(delivery: PendingDelivery, record: readonly string[], call: readonly string[] = []): Promise<boolean> {
    const { stream: { partition: place }, ownerEpoch } = delivery.entry;
    const { control, stats } = place.groupKeys;
    const [key, sign] = this.#signOf(delivery);
    const args = [`${this.#parts.member} ${ownerEpoch}`, ...record, sign, ...call];
    return (await this.#redisOf(place).run(note, [control, stats, ...key], args)) === 1;
  }

  /** Where a message shows whether it is settled: the key, and what to look at there. A foreign entry of the log has no place. */
  #signOf({ entry: { id, stream: { kind, key, partition: place } }, offset }: PendingDelivery): [keys: string[], sign: string] {
    if (kind === 'again') return [[key], `entry ${id}`];
    if (kind === 'parked') return [[place.groupKeys.parkedText], `text ${id}`];
    if (offset < 0) return [[], ''];
    return [[settledKey(this.#parts.prefix, place, offset)], `bit ${offset % SETTLED_PAGE_OFFSETS}`];
  }

  #redisOf({ keys }: GroupPartition): RedisConnection {
    return this.#parts.redis.publishFor(keys.log);
  }
}

/** Reports that something could not be written down, or read, and is tried again. */
export function reportLoop({ topic, partition, group }: Place, error: unknown): void {
  emit('loop-failed', { topic, partition, group, loop: 'note', error: errorRecord(error), failures: 1 });
}

/** The message at which a partition stopped; null where it did not. */
export function stoppedAtIn(text: string | undefined | null): StoppedAt | null {
  const space = text?.indexOf(' ') ?? -1;
  const found = space > 0 ? givenUpIn(text!.slice(space + 1)) : null;
  if (!found) return null;
  const { messageId = null, ...givenUp } = found;
  return { name: text!.slice(0, space), givenUp, messageId };
}

function notesIn(fields: readonly [string, string][], parked: Map<string, ParkedState>): Notes {
  const attempts = new Map<string, AttemptRecord>();
  const givenUp = new Map<string, GivenUp>();
  for (const [field, text] of fields) {
    const [kind, name] = [field.slice(0, field.indexOf(':')), field.slice(field.indexOf(':') + 1)];
    const record = kind === 'tried' ? attemptRecordOf(text) : null;
    const outcome = kind === 'given-up' ? givenUpIn(text) : null;
    if (record) attempts.set(name, record);
    if (outcome) givenUp.set(name, outcome);
  }
  const named = new Map(fields);
  const suspects = named.get('suspects');
  const death = suspects === undefined ? null : epochIn({ owner: '', epoch: suspects });
  return { attempts, givenUp, stoppedAt: stoppedAtIn(named.get('stopped')), death, parked, order: named.get(ORDER) ?? '' };
}

/** Null for a text that is damaged: the message is handled once more. */
function givenUpIn(text: string): (GivenUp & { readonly messageId?: string | null }) | null {
  try {
    const outcome = JSON.parse(text) as GivenUp & { readonly messageId?: string | null };
    return outcome.kind === 'dead-letter' ? outcome : null;
  } catch {
    return null;
  }
}
