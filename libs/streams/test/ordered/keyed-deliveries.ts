import { groupPartition, type GroupPartition } from '../../src/consume/group-partition.js';
import type { History, PendingDelivery } from '../../src/consume/pending-delivery.js';
import { deliveriesOf } from '../../src/consume/pending-delivery.js';
import { storedEntry } from '../stored-entry.js';

export const here = groupPartition('test', { topic: 'steps', partition: 0 }, 'g');
export const there = groupPartition('test', { topic: 'steps', partition: 1 }, 'g');

type Given = Partial<History> & { readonly at?: GroupPartition };

/** A message of a key as from a read, without a Redis. */
export function keyed(key: string | null, offset: number, { at = here, ...history }: Given = {}): PendingDelivery {
  const [id, ...fields] = storedEntry(offset, [`[1,"id-${offset}",${JSON.stringify(key)},null,null,{}]`], 1_000);
  const [delivery] = deliveriesOf(at.streams[0], { id, fields }, { connectionEpoch: 0, owner: { member: 'm', epoch: 1 } }).deliveries;
  return Object.keys(history).length === 0 ? delivery! : delivery!.with(history);
}
