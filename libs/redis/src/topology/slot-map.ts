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
}

export const NO_SLOTS: SlotMap = { owners: new Array<null>(SLOTS).fill(null), primaries: new Set(), replicas: new Set() };

type Node = [host: string | null, port: number, ...rest: unknown[]];
type Range = [first: number, last: number, primary: Node, ...replicas: Node[]];

/**
 * Reads the reply of CLUSTER SLOTS. Where a node announces no host, it is that under which this process asked.
 *
 * @param asked the name of the node that replied
 * @throws RedisFailure when the node knows of no slots, as one that was taken out of its Cluster
 */
export function slotMapOf(reply: unknown, asked: string): SlotMap {
  if ((reply as Range[]).length === 0) throw new RedisFailure('unavailable', `The node ${asked} knows of no slots: it belongs to no Cluster.`, undefined);
  const owners = new Array<string | null>(SLOTS).fill(null);
  const primaries = new Set<string>();
  const replicas = new Set<string>();
  for (const [first, last, primary, ...others] of reply as Range[]) {
    const name = nameOf(primary, asked);
    primaries.add(name);
    for (const other of others) replicas.add(nameOf(other, asked));
    owners.fill(name, first, last + 1);
  }
  return { owners, primaries, replicas };
}

/** Whether both give each slot to the same node. */
export function isSameMap(one: SlotMap, other: SlotMap): boolean {
  return one.owners.every((owner, slot) => owner === other.owners[slot]);
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

/** The name of a node that another one announced: without a host, it is that of the one that spoke. */
export function nameIn(announced: string, speaker: string): string {
  return announced.startsWith(':') ? `${addressIn(speaker).host}${announced}` : announced;
}

function nameOf([host, port]: Node, asked: string): string {
  return nameIn(`${host === null || host === '?' ? '' : host}:${port}`, asked);
}
