import { setTimeout } from 'node:timers/promises';
import type { PartitionOwner } from '@millrace/core';
import type { GroupPartition, GroupStream } from '../consume/group-partition.js';
import type { HeldEntries } from '../consume/held-entries.js';
import { HeldEntry } from '../consume/held-entry.js';
import { PendingDelivery } from '../consume/pending-delivery.js';
import { malformed } from '../log/envelope.js';
import { type GivenUp, reportLoop } from './owner-notes.js';
import { type AfterParked, type NextParked, type ParkedMessages, parkedTextIn } from './parked-messages.js';
import { keyOfParked } from './parked-names.js';

/** The pause before Redis is asked again, after a failure. */
const PAUSE_MS = 1_000;
/** Keys that are handled at once, each with one message in hand: an operator may release any number together. */
const MOST_OPEN = 128;

export interface ReleasedKeysParts {
  readonly held: HeldEntries;
  readonly parked: ParkedMessages;
}

/** Messages of one partition whose key an operator has released: each is read when the one before it is settled. */
export class ReleasedKeys {
  readonly #parts: ReleasedKeysParts;
  readonly #stream: GroupStream;
  /** Released keys that wait until others are handled. */
  readonly #waiting = new Set<string>();
  /** Those of which a message is in hand, or is being read. */
  readonly #open = new Set<string>();
  /** By key: the message in hand, where an operator wants it to be a dead letter. */
  readonly #givenUp = new Map<string, { readonly name: string; readonly givenUp: GivenUp }>();

  constructor(parts: ReleasedKeysParts, partition: GroupPartition) {
    this.#parts = parts;
    this.#stream = { kind: 'parked', key: partition.groupKeys.parked, partition };
  }

  /** A key is to be handled. */
  add(key: string): void {
    if (!this.#open.has(key) && !this.#waiting.has(key)) this.#waiting.add(key);
  }

  /** Takes keys that may be handled now. */
  *take(): Generator<string> {
    for (const next of this.#waiting) {
      if (this.#open.size >= MOST_OPEN) return;
      this.#waiting.delete(next);
      this.#open.add(next);
      yield next;
    }
  }

  /** A key is handled, or put aside again. */
  ended(key: string): void {
    this.#waiting.delete(key);
    this.#open.delete(key);
    this.#givenUp.delete(key);
  }

  clear(): void {
    this.#waiting.clear();
    this.#open.clear();
    this.#givenUp.clear();
  }

  /** How an operator wants a message to end; undefined when it is to be handled. */
  givenUp(delivery: PendingDelivery): GivenUp | undefined {
    if (this.#givenUp.size === 0) return undefined;
    const found = this.#givenUp.get(keyOfParked(delivery.name));
    return found?.name === delivery.name ? found.givenUp : undefined;
  }

  /** Never rejects, and asks for as long as somebody wants it. @returns the first message of a key; null when nobody does */
  async first({ key, epoch }: { key: string; epoch: number }, isWanted: () => boolean): Promise<AfterParked | null> {
    const { partition } = this.#stream;
    while (isWanted()) {
      try {
        return await this.#parts.parked.first(partition, key, epoch);
      } catch (error) {
        reportLoop(partition, error);
        await setTimeout(PAUSE_MS);
      }
    }
    return null;
  }

  deliveryOf(key: string, { name, text, isGivenUp }: NextParked, owner: PartitionOwner): PendingDelivery {
    const { connectionEpoch } = this.#parts.held.moment(this.#stream);
    const found = parkedTextIn(text);
    const span = { base: found?.offset ?? -1, size: 1 };
    const entry = new HeldEntry(this.#stream, { id: name, connectionEpoch, owner }, span);
    const givenUp = isGivenUp ? found?.givenUp : null;
    if (givenUp) this.#givenUp.set(key, { name, givenUp });
    else this.#givenUp.delete(key);
    if (found) {
      const { offset, envelope, history } = found;
      return new PendingDelivery(entry, { offset, envelope }, givenUp ? history : undefined);
    }
    const fault = malformed(`the text of a message of key '${key}' is damaged`);
    return new PendingDelivery(entry, { offset: -1, envelope: text, fault });
  }
}
