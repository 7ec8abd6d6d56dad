import { loadScript } from '@millrace/redis';
import type { GroupPartition } from '../consume/group-partition.js';
import type { History, PendingDelivery } from '../consume/pending-delivery.js';
import type { Settlement } from '../consume/settlement.js';
import type { OutcomeRoutes } from '../durable/outcome-routes.js';
import type { GivenUp } from './owner-notes.js';
import { keyOfParked, parkedKey, parkedName } from './parked-names.js';

const park = loadScript('../scripts/park.lua', import.meta.url);
const settleParked = loadScript('../scripts/settle-parked.lua', import.meta.url);

/** A message that waits for an operator, as Redis has it; `givenUp` is that of the first, null of those that came after it. */
export interface ParkedText {
  readonly offset: number;
  readonly envelope: string;
  readonly givenUp: GivenUp | null;
  /** Its attempts until it was given up; absent of those that came after it, and in texts of earlier versions. */
  readonly history?: History;
  /** The name of the call that put it aside again; absent of those that were put aside once. */
  readonly call?: string;
  /** Unix milliseconds. */
  readonly parkedAt: number;
}

/** A message that is next among those of a released key. */
export interface NextParked {
  readonly name: string;
  readonly text: string;
  /** Whether an operator wants it to be a dead letter. */
  readonly isGivenUp: boolean;
}

/** `parked`: the key waits for an operator; `empty`: it is as any other key; `lost`: the partition is another's. */
export type AfterParked = NextParked | 'parked' | 'empty' | 'lost';

export interface ParkedMessagesParts {
  readonly member: string;
  /** To be put aside is an outcome. */
  readonly outcomes: OutcomeRoutes;
}

/** Messages of a partition that wait for an operator, as the owner of the partition changes them. */
export class ParkedMessages {
  readonly #outcomes: OutcomeRoutes;
  readonly #member: string;
  #parkings = 0;

  constructor({ member, outcomes }: ParkedMessagesParts) {
    this.#outcomes = outcomes;
    this.#member = member;
  }

  /**
   * A call that puts a message aside: one that is given up, or one that comes behind others of its key. It may be repeated.
   *
   * @returns the call, which says `lost` when the partition is another's by now; `free` when no other message of its key is put
   *   aside any more
   */
  parking(delivery: PendingDelivery, givenUp: GivenUp | null): () => Promise<'parked' | 'lost' | 'free'> {
    const { message, offset, entry: { stream: { partition }, ownerEpoch } } = delivery;
    const { control, parked, parkedText, parkedKeys } = partition.groupKeys;
    const names = [parkedKey(message.key!), parkedName(message.key!, offset)];
    const own = givenUp ? ['0', `tried:${delivery.name}`, this.#nextCall()] : ['1'];
    if (givenUp) delivery.isNoted = true;
    const args = [this.#token(ownerEpoch), ...names, textOf(delivery, givenUp), ...own];
    return async () => {
      const reply = await this.#outcomes.run(partition.keys.log, park, { keys: [control, parked, parkedText, parkedKeys], args });
      return reply === 1 ? 'parked' : reply === 0 ? 'lost' : 'free';
    };
  }

  /** The first message of a released key. It settles nothing. */
  first(place: GroupPartition, key: string, epoch: number): Promise<AfterParked> {
    return this.#settle(place, [this.#token(epoch), parkedKey(key), '', 'ack'], 'runPlainly');
  }

  /** Settles a message of a released key. @returns the next one */
  settle(delivery: PendingDelivery, settlement: Settlement): Promise<AfterParked> {
    return this.#end(delivery, settlement);
  }

  /** @returns a call that puts a released key aside again, whose message has failed for good: once, though it is repeated */
  parkingAgain(delivery: PendingDelivery, givenUp: GivenUp): () => Promise<AfterParked> {
    const text = textOf(delivery, givenUp, this.#nextCall());
    return () => this.#end(delivery, ['park', text]);
  }

  #end({ entry: { id, stream, ownerEpoch } }: PendingDelivery, outcome: readonly string[]): Promise<AfterParked> {
    return this.#settle(stream.partition, [this.#token(ownerEpoch), parkedKey(keyOfParked(id)), id, ...outcome], 'run');
  }

  async #settle(place: GroupPartition, args: readonly (string | number)[], way: 'run' | 'runPlainly'): Promise<AfterParked> {
    const { control, parked, parkedText, parkedKeys, dead, stats } = place.groupKeys;
    const keys = [control, parked, parkedText, parkedKeys, dead, stats];
    const reply = await this.#outcomes[way](place.keys.log, settleParked, { keys, args });
    if (!Array.isArray(reply)) return String(reply).toLowerCase() as 'parked' | 'empty' | 'lost';
    return { name: String(reply[0]), text: String(reply[1]), isGivenUp: reply[2] === 1 };
  }

  #nextCall(): string {
    this.#parkings += 1;
    return `${this.#member} ${this.#parkings}`;
  }

  #token(epoch: number | null): string {
    return `${this.#member} ${epoch}`;
  }
}

function textOf(delivery: PendingDelivery, givenUp: GivenUp | null, call?: string): string {
  const { offset, envelope, attempt, crashes, firstFailedAt } = delivery;
  const parkedAt = Date.now();
  const history = givenUp && { attempt, crashes, firstFailedAt: firstFailedAt ?? parkedAt };
  const text: ParkedText = { offset, envelope, givenUp, ...(history && { history }), ...(call && { call }), parkedAt };
  return JSON.stringify(text);
}

/** Null for a text that is damaged. */
export function parkedTextIn(text: string): ParkedText | null {
  try {
    const found = JSON.parse(text) as ParkedText;
    return Number.isSafeInteger(found.offset) && typeof found.envelope === 'string' ? found : null;
  } catch {
    return null;
  }
}
