import { loadScript, type Topology } from '@millrace/redis';
import { groupKeys, partitionKeys, SETTLED_PAGE_OFFSETS, settledKey } from '../keys.js';
import { parkedName } from '../ordered/parked-names.js';

const script = loadScript('../scripts/look-delivery.lua', import.meta.url);

/**
 * - `skipped`: the group began, or went by a seek, behind it.
 * - `waiting`: it was not delivered yet.
 * - `pending`: a member holds it.
 * - `retrying`: it waits for another attempt, or is in one.
 * - `parked`: it is put aside until an operator releases its key.
 * - `done`: it is settled or a dead letter.
 * - `unknown`: none of these is known, as after Redis has lost something.
 */
export type DeliveryStep = 'skipped' | 'waiting' | 'pending' | 'retrying' | 'parked' | 'done' | 'unknown';

/** The state of a message in a group. */
export interface DeliveryState {
  readonly step: DeliveryStep;
  /** The member that holds it; null when none does, or it is not known. */
  readonly member: string | null;
  /** The number of the attempt that it waits for, from 2 on; null when it waits for none. */
  readonly attempt: number | null;
}

/** A message in the log of a topic, with the entry that it is in. */
export interface StoredPlace {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
  readonly entry: string;
  readonly key: string | null;
}

type Text = string | null;

type Reply = [start: Text, delivered: Text, bit: number, open: Text, parked: number, holder: Text];

interface GroupAtPlace extends StoredPlace {
  readonly group: string;
}

export async function deliveryState(redis: Topology, prefix: string, { group, ...place }: GroupAtPlace): Promise<DeliveryState> {
  const { log, groups } = partitionKeys(prefix, place.topic, place.partition);
  const { open, parked } = groupKeys(prefix, place, group);
  const page = settledKey(prefix, { ...place, group }, place.offset);
  const name = place.key === null ? '' : parkedName(place.key, place.offset);
  const args = [group, place.entry, place.offset % SETTLED_PAGE_OFFSETS, place.offset, name];
  return stateOf((await redis.controlFor(log).run(script, [log, groups, page, open, parked], args)) as Reply, place);
}

function stateOf([start, delivered, bit, open, parked, holder]: Reply, { offset, entry }: StoredPlace): DeliveryState {
  const at = (step: DeliveryStep): DeliveryState => ({ step, member: null, attempt: null });
  if (open !== null) return { ...at('retrying'), attempt: Number(open.split(' ')[2]) };
  if (parked === 1) return at('parked');
  if (bit === 1) return at('done');
  if (holder !== null) return { ...at('pending'), member: holder };
  if (start !== null && offset < Number(start)) return at('skipped');
  return at(delivered !== null && isBehind(entry, delivered) ? 'waiting' : 'unknown');
}

function isBehind(entry: string, other: string): boolean {
  const [[ms = 0n, number = 0n], [otherMs = 0n, otherNumber = 0n]] = [partsOf(entry), partsOf(other)];
  return ms === otherMs ? number > otherNumber : ms > otherMs;
}

function partsOf(id: string): bigint[] {
  return id.split('-').map(BigInt);
}
