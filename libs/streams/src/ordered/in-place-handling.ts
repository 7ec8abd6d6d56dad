import { emit, type Ordering, type Outcome } from '@millrace/core';
import type { Feedback } from '../consume/feedback.js';
import type { GroupPartition } from '../consume/group-partition.js';
import type { HeldEntries } from '../consume/held-entries.js';
import type { HeldEntry } from '../consume/held-entry.js';
import type { InPlace, Later, Waits } from '../consume/in-place.js';
import type { PendingDelivery } from '../consume/pending-delivery.js';
import { type Settlement, settlementOf } from '../consume/settlement.js';
import type { OutcomeRoutes } from '../durable/outcome-routes.js';
import type { RingWait } from '../read/ring-wait.js';
import type { LaneQueue } from './lane-queue.js';
import type { OwnedPartition } from './owned-partition.js';
import type { GivenUp, OwnerNotes } from './owner-notes.js';
import type { AfterParked, ParkedMessages } from './parked-messages.js';
import { keyOfParked } from './parked-names.js';
import { UntilDone } from './until-done.js';

export interface InPlaceHandlingParts {
  readonly queue: LaneQueue;
  readonly rings: Pick<RingWait, 'lookAt'>;
  readonly held: HeldEntries;
  readonly notes: OwnerNotes;
  readonly parked: ParkedMessages;
  readonly outcomes: OutcomeRoutes;
  readonly partitions: ReadonlyMap<GroupPartition, OwnedPartition>;
  readonly onExhausted: NonNullable<Ordering['onExhausted']>;
  readonly feedback: Pick<Feedback, 'deadLettered'>;
  /** A database knows that epoch of another owner: this member owns the partition no more, or above it. */
  readonly raise: (place: GroupPartition, epoch: number) => void;
}

type Release = Extract<Outcome, { kind: 'release' }>;
type Retry = Extract<Outcome, { kind: 'retry' }>;

/** The message is put aside; it is handled when it comes back. */
const PARKED: Settlement = ['ack', 'parked', ''];

const NOTHING: Later = Promise.resolve(null);

/** Messages of an ordered group that are not done: they stay with the owner of the partition, and their lane waits. */
export class InPlaceHandling implements InPlace {
  readonly queue: LaneQueue;
  readonly #parts: InPlaceHandlingParts;
  readonly #untilDone: UntilDone;

  constructor(parts: InPlaceHandlingParts) {
    this.queue = parts.queue;
    this.#parts = parts;
    this.#untilDone = new UntilDone(parts.outcomes);
  }

  /** Why a message can be neither put aside nor settled, or null while all is well. */
  problem(): string | null {
    return this.#untilDone.problem();
  }

  /** Marks a message whose process vanished as one that begins. @returns false when it is another's by now */
  async begin(delivery: PendingDelivery): Promise<boolean> {
    const isOwn = await this.#parts.notes.begin(delivery);
    if (isOwn) this.#partitionOf(delivery.entry).begins(delivery);
    return isOwn;
  }

  aside(delivery: PendingDelivery): Later | undefined {
    const partition = this.#partitionOf(delivery.entry);
    const givenUp = partition.givenUp(delivery);
    if (isOfReleasedKey(delivery)) return givenUp && this.#leave(delivery, givenUp);
    if (givenUp) {
      partition.ended(delivery);
      delivery.isNoted = true;
      return Promise.resolve(settlementOf(delivery, givenUp));
    }
    return partition.isParked(delivery.message.key) ? this.#park(delivery, null) : undefined;
  }

  keep(delivery: PendingDelivery, outcome: Outcome): Later | undefined {
    if (outcome.kind === 'ack' || outcome.kind === 'dead-letter') this.#partitionOf(delivery.entry).ended(delivery);
    switch (outcome.kind) {
      case 'release':
        return outcome.delayMs === undefined ? this.#giveBack(delivery, outcome) : this.#later(delivery, outcome.delayMs);
      case 'retry':
        return this.#retry(delivery, outcome);
      case 'dead-letter':
        return this.#exhausted(delivery, outcome);
      case 'ack':
        return this.#leave(delivery, outcome);
    }
  }

  /**
   * The lanes are dropped first: what follows a message in its lane must not begin before it. Nobody rings for what was dropped:
   * it is read again at once.
   */
  release(deliveries: readonly PendingDelivery[]): void {
    const partitions = new Set(deliveries.map(({ entry }) => this.#partitionOf(entry)));
    for (const partition of partitions) partition.restart();
    for (const delivery of deliveries) this.#free(delivery);
    for (const { place } of partitions) for (const stream of place.streams) this.#parts.rings.lookAt(stream);
  }

  /** The partition is given up before anything of it is read again: handlers of other keys would be refused as well. */
  #giveBack(delivery: PendingDelivery, { fencedBy }: Release): Later {
    const { entry: { owner, isGivenUp, stream: { partition: place } }, message } = delivery;
    if (fencedBy !== undefined && owner && !isGivenUp) {
      const { topic, partition, group } = place;
      emit('owner-fenced', { topic, partition, group, messageId: message.id, epoch: owner.epoch, knownEpoch: fencedBy });
      this.#parts.raise(place, fencedBy);
    }
    this.release([delivery]);
    return NOTHING;
  }

  /** Its record is written before it may begin again: written later, it could outlive the message, or miss the next owner. */
  #retry(delivery: PendingDelivery, { delayMs, sameAttempt }: Retry): Promise<null> {
    const attempt = sameAttempt ? delivery.attempt : delivery.attempt + 1;
    return this.#inTurn(delivery, delivery.with({ attempt, firstFailedAt: delivery.firstFailedAt ?? Date.now() }), delayMs);
  }

  /** It was not begun: what is at work elsewhere is waited for here. */
  #later(delivery: PendingDelivery, delayMs: number): Promise<null> {
    return this.#inTurn(delivery, delivery.with({}), delayMs);
  }

  async #inTurn(delivery: PendingDelivery, next: PendingDelivery, delayMs: number): Promise<null> {
    next.notBeforeMs = performance.now() + delayMs;
    if (await this.#parts.notes.keep(next, delayMs)) this.#again(delivery, next);
    else this.release([delivery]);
    return null;
  }

  /** Has a message handled again, before all others of its lane. */
  #again(delivery: PendingDelivery, next: PendingDelivery): void {
    const mayStay = this.#partitionOf(delivery.entry).isOpen && !delivery.entry.isGivenUp;
    if (mayStay) this.queue.retry(delivery, next);
    else this.release([delivery]);
  }

  waits(delivery: PendingDelivery, outcome: Outcome): Waits | null {
    const { onExhausted } = this.#parts;
    if (outcome.kind !== 'dead-letter' || isWanted(outcome)) return null;
    // Messages behind it wait for its key, also when the group stops by now where it put keys aside.
    if (onExhausted === 'stop' && !isOfReleasedKey(delivery)) return 'stopped';
    return onExhausted === 'dead-letter' || delivery.message.key === null ? null : 'parked';
  }

  #exhausted(delivery: PendingDelivery, givenUp: GivenUp): Later | undefined {
    const waits = this.waits(delivery, givenUp);
    if (waits === 'stopped') return this.#stop(delivery, givenUp);
    if (waits === null) return this.#leave(delivery, givenUp);
    if (!isOfReleasedKey(delivery)) return this.#park(delivery, givenUp);
    return this.#endParked(delivery, this.#parts.parked.parkingAgain(delivery, givenUp));
  }

  #leave(delivery: PendingDelivery, outcome: Outcome): Later | undefined {
    if (!isOfReleasedKey(delivery)) return undefined;
    const settlement = settlementOf(delivery, outcome);
    return this.#endParked(delivery, async () => {
      const next = await this.#parts.parked.settle(delivery, settlement);
      if (settlement[0] === 'dead' && next !== 'lost') this.#parts.feedback.deadLettered();
      return next;
    });
  }

  async #stop(delivery: PendingDelivery, givenUp: GivenUp): Promise<Settlement | null> {
    const partition = this.#partitionOf(delivery.entry);
    partition.stop({ name: delivery.name, givenUp, messageId: delivery.message.id || null });
    const isStored = await this.#untilDone.of(delivery, this.#parts.notes.stopping(delivery, givenUp));
    this.release([delivery]);
    partition.stopEnds(isStored === true);
    return null;
  }

  async #park(delivery: PendingDelivery, givenUp: GivenUp | null): Promise<Settlement | null> {
    const reply = await this.#untilDone.of(delivery, this.#parts.parked.parking(delivery, givenUp));
    if (reply === 'parked') {
      this.#partitionOf(delivery.entry).ended(delivery);
      this.#partitionOf(delivery.entry).park(delivery.message.key!);
      return PARKED;
    }
    // An operator has released its key, and all that came before it is settled by now.
    if (reply === 'free') {
      this.#partitionOf(delivery.entry).afterParked(delivery.message.key!, 'empty');
      this.#again(delivery, Object.assign(delivery.with({}), { isNoted: delivery.isNoted }));
    } else this.release([delivery]);
    return null;
  }

  async #endParked(delivery: PendingDelivery, work: () => Promise<AfterParked>): Promise<null> {
    const next = await this.#untilDone.of(delivery, work);
    this.#free(delivery);
    const partition = this.#partitionOf(delivery.entry);
    // It may be put aside again: the next release has it begin anew.
    partition.beginsAnew(delivery.name);
    if (next !== null) partition.afterParked(keyOfParked(delivery.entry.id), next);
    return null;
  }

  #free(delivery: PendingDelivery): void {
    this.#parts.held.settled(delivery.entry);
    this.queue.settled(delivery);
  }

  #partitionOf({ stream }: HeldEntry): OwnedPartition {
    return this.#parts.partitions.get(stream.partition)!;
  }
}

/** Whether somebody wants the message to be a dead letter, rather than that it has failed too often. */
function isWanted({ reason }: GivenUp): boolean {
  return reason === 'DEAD_LETTERED_BY_HANDLER' || reason === 'DEAD_LETTER_ON' || reason === 'NO_KEY';
}

function isOfReleasedKey({ entry }: PendingDelivery): boolean {
  return entry.stream.kind === 'parked';
}
