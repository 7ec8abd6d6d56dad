import { RedisFailure } from '../connection/redis-failure.js';
import { addressIn } from '../connection/redis-address.js';

/** How many slots a Redis Cluster has. */
export const SLOTS = 16_384;

/** Which node has which slot, as one node saw it. A node is called by the address that it announces: `host:port`. */
export interface SlotMap {
  /** By slot; null for one that no node has. */
  readonly owners: readonly (string | null)[];
  readonly primaries: ReadonlySet<string>;
  readonly replicas: ReadonlySet<string>;
  /** Those that nodes of this Cluster alone have; empty where the node tells none. */
  readonly ids: ReadonlySet<string>;
}

/** Said of a node that was taken out of its Cluster, or never was in one. */
export const KNOWS_NO_SLOTS = 'knows of no slots: it belongs to no Cluster';
/** Stands for the host of a node that was to announce a name, and has none. */
const NO_NAME = '?';

export const NO_SLOTS: SlotMap = {
  owners: new Array<null>(SLOTS).fill(null), primaries: new Set(), replicas: new Set(), ids: new Set(),
};

/** Where the host is not that by which nodes know each other, that one is among the other names: `['ip', '10.0.0.1']`. */
type Node = [host: string | null, port: number, id?: string, others?: readonly string[]];
type Range = [first: number, last: number, primary: Node, ...replicas: Node[]];

/**
 * Reads the reply of CLUSTER SLOTS. Where a node announces no host, it is that under which this process asked; where it was to
 * announce a name and has none, it is the address by which nodes know it.
 *
 * @param asked the name of the node that replied
 * @throws RedisFailure when the node knows of no slots, as one that was taken out of its Cluster
 */
export function slotMapOf(reply: unknown, asked: string): SlotMap {
  if ((reply as Range[]).length === 0) throw new RedisFailure('unavailable', `The node ${asked} ${KNOWS_NO_SLOTS}.`, undefined);
  const owners = new Array<string | null>(SLOTS).fill(null);
  const primaries = new Set<string>();
  const replicas = new Set<string>();
  const ids = new Set<string>();
  for (const [first, last, primary, ...others] of reply as Range[]) {
    const name = nameOf(primary, asked);
    primaries.add(name);
    for (const other of others) replicas.add(nameOf(other, asked));
    owners.fill(name, first, last + 1);
    for (const [, , id] of [primary, ...others]) if (id) ids.add(id);
  }
  return { owners, primaries, replicas, ids };
}

/** Whether both give each slot to the same node. */
export function isSameMap(one: SlotMap, other: SlotMap): boolean {
  return one.owners.every((owner, slot) => owner === other.owners[slot]);
}

/** Whether both may have been told by nodes of one Cluster: they have a node in common. */
export function areOfOneCluster({ ids }: SlotMap, other: SlotMap): boolean {
  return ids.size === 0 || other.ids.size === 0 || [...ids].some((id) => other.ids.has(id));
}

/** The slots that no node has, as ranges: `0-5460, 7000`. Empty when each has one. */
export function uncoveredIn({ owners }: SlotMap): string {
  const ranges: [number, number][] = [];
  owners.forEach((owner, slot) => {
    if (owner !== null) return;
    const last = ranges.at(-1);
    if (last?.[1] === slot - 1) last[1] = slot;
    else ranges.push([slot, slot]);
  });
  return ranges.map(([first, last]) => (first === last ? `${first}` : `${first}-${last}`)).join(', ');
}

/**
 * The name of a node in a redirect: without a host, it is that of the one that spoke.
 *
 * @returns null when the host cannot be known: the node was to announce a name, and has none
 */
export function nodeIn(address: string, speaker: string, { primaries, replicas }: SlotMap): string | null {
  if (!address.startsWith(`${NO_NAME}:`)) return nameIn(address, speaker);
  const [found, ...more] = [...primaries, ...replicas].filter((name) => name.endsWith(address.slice(NO_NAME.length)));
  return more.length === 0 ? (found ?? null) : null;
}

function nameIn(announced: string, speaker: string): string {
  // An address of IPv6 may begin with colons itself.
  return /^:\d+$/.test(announced) ? `${addressIn(speaker).host}${announced}` : announced;
}

function nameOf([host, port, , others = []]: Node, asked: string): string {
  const known = host === NO_NAME ? others[others.indexOf('ip') + 1] : host;
  return nameIn(`${known ?? ''}:${port}`, asked);
}
