import { type LocalServer, onServer, slotOf } from '@millrace/redis';
import { ClusterSite, type Site } from '@millrace/testing';

/** One slot for each purpose of the keys, so that each is moved as often as another: there are many answers that are kept. */
export async function usedSlots(site: Site, prefix: string): Promise<number[]> {
  if (!(site instanceof ClusterSite)) return [];
  const keysOf = (node: LocalServer): Promise<unknown> => onServer(node, (call) => call('KEYS', `${prefix}:*`));
  const keys = (await Promise.all((await site.cluster.primaries()).map(keysOf))).flat() as string[];
  const byPurpose = new Map(keys.map((key) => [purposeOf(key), key]));
  return [...byPurpose.values()].map(slotOf);
}

/** Streams each have their own; the entries of a ledger share one. */
function purposeOf(key: string): string {
  return /\{ledger:/.exec(key)?.[0] ?? key;
}
