import { RedisFailure, type Topology } from '@millrace/redis';
import type { GroupPartition } from '../consume/group-partition.js';
import { presenceKey } from '../keys.js';
import { OWNER } from '../own/owner-consumer.js';
import { memberName, PRESENCE_KEPT_MS } from './member-name.js';
import { PresenceRecord } from './presence-record.js';

/** A member of a process, as Redis knows it: one of a group, or an instance of a service. */
export interface MemberPresence {
  readonly name: string;
  /** The host of its process, with `-` for characters that a name cannot have; null when the name does not tell. */
  readonly host: string | null;
  readonly pid: number | null;
  /**
   * How long ago its process gave its last sign of life, in milliseconds by Redis's clock; null when there is none, as of one
   * that stopped. It is for display: whether it is dead is decided by counted silence.
   */
  readonly heardMs: number | null;
  /**
   * `stopping` and `left`: its process has said so. `silent`: its process has given no sign of life for 15 s, though it gives one
   * each second or more often: it is dead, frozen or cut off. `unheard`: there is no sign of it, as a day later.
   */
  readonly state: 'present' | 'stopping' | 'left' | 'silent' | 'unheard';
}

/** A member of a group. */
export interface GroupMember extends MemberPresence {
  /** Entries that it holds, over all partitions; of an ordered group those of the partitions that it owns. */
  readonly pending: number;
  /** The partitions that it owns: of an ordered group alone. */
  readonly owns: readonly number[];
}

interface Held {
  readonly name: string;
  readonly pending: number;
  readonly owns: readonly number[];
}

const SILENT_MS = 15_000;

type Parts = { readonly redis: Topology; readonly prefix: string };

/** The members of a group, by their names. */
export async function readMembers({ redis, prefix }: Parts, partitions: readonly GroupPartition[]): Promise<GroupMember[]> {
  const held = (await Promise.all(partitions.map((partition) => heldIn(redis, partition)))).flat();
  const members = [...new Set(held.map(({ name }) => name))].sort();
  return Promise.all(members.map(async (name) => ({ ...(await presenceOf({ redis, prefix }, name)), ...summed(name, held) })));
}

function summed(name: string, held: readonly Held[]): Held {
  const own = held.filter((one) => one.name === name);
  return { name, pending: own.reduce((sum, { pending }) => sum + pending, 0), owns: own.flatMap(({ owns }) => owns) };
}

/** The members that are known in one partition. Entries of an ordered group are with its owner. */
async function heldIn(redis: Topology, partition: GroupPartition): Promise<Held[]> {
  const connection = redis.controlFor(partition.keys.log);
  const [consumers, owner] = await Promise.all([
    connection.call('XINFO', 'CONSUMERS', partition.keys.log, partition.group).catch(noneWhereLost) as Promise<unknown[][]>,
    connection.call('HGET', partition.groupKeys.control, 'owner'),
  ]);
  const counts = new Map(consumers.map((fields) => [String(fields[1]), Number(fields[3])]));
  const members = [...counts].filter(([name]) => name !== OWNER).map(([name, pending]) => ({ name, pending, owns: [] }));
  if (typeof owner !== 'string' || owner === '') return members;
  return [...members, { name: owner, pending: counts.get(OWNER) ?? 0, owns: [partition.partition] }];
}

/** Where Redis has lost the log or its group, nobody is known: its members make it again. */
function noneWhereLost(error: unknown): [] {
  if (error instanceof RedisFailure && (error.kind === 'state-lost' || error.kind === 'unknown')) return [];
  throw error;
}

/** The last sign of life of a member. */
export async function presenceOf({ redis, prefix }: Parts, member: string): Promise<MemberPresence> {
  const { process, number, host, pid } = memberName(member);
  const key = presenceKey(prefix, process);
  const connection = redis.controlFor(key);
  const [record, leftMs] = await Promise.all([connection.call('GET', key), connection.call('PTTL', key)]);
  const heardMs = Number(leftMs) < 0 ? null : Math.max(0, PRESENCE_KEPT_MS - Number(leftMs));
  return { name: member, host, pid, heardMs, state: stateOf(record as string | null, number, heardMs) };
}

function stateOf(record: string | null, number: number, heardMs: number | null): GroupMember['state'] {
  if (record === null) return 'unheard';
  const said = new PresenceRecord(record);
  if (said.hasLeft(number)) return 'left';
  if (heardMs !== null && heardMs >= SILENT_MS) return 'silent';
  return said.isStopping(number) ? 'stopping' : 'present';
}
