import { groupPartition } from '../src/consume/group-partition.js';
import type { HeldEntry } from '../src/consume/held-entry.js';
import { type PendingDelivery, deliveriesOf } from '../src/consume/pending-delivery.js';
import { storedEntry } from './stored-entry.js';

interface Taken {
  readonly entry: HeldEntry;
  readonly deliveries: readonly PendingDelivery[];
}

const NOW = { connectionEpoch: 0, returns: 0 };

/** Messages as from a read, without a Redis. */
export const place = groupPartition('test', { topic: 'orders', partition: 0 }, 'g');

export function ofLog(base: number, size: number): Taken {
  const texts = Array.from({ length: size }, (_, index) => envelopeOf(base + index));
  const [id, ...fields] = storedEntry(base, texts, 1_000);
  return deliveriesOf(place.streams[0], { id, fields }, NOW);
}

export function ofRetryLog(offset: number, { crashes = 0 } = {}): Taken {
  const body = [offset, 2, crashes, null, envelopeOf(offset)];
  return deliveriesOf(place.streams[1], { id: `1000-${offset}`, fields: ['r', JSON.stringify(body)] }, NOW);
}

/** A foreign entry. */
export function foreign(): Taken {
  return deliveriesOf(place.streams[0], { id: '1000-7', fields: ['foreign', 'x'] }, NOW);
}

function envelopeOf(offset: number): string {
  return `[1,"id-${offset}",null,null,null,{"value":${offset}}]`;
}
