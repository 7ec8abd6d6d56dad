import { LocalCluster, serverBinaries } from '@millrace/redis';

/** A Cluster of primaries without replicas, each with an append-only file that is written each second. */
export interface BenchCluster {
  /** Of one node: it leads to all. */
  readonly url: string;
  readonly pids: readonly number[];
  stop(): Promise<void>;
}

/**
 * @param spread slots that the primaries get in turn
 * @returns null when no server is on the PATH
 */
export async function startCluster(primaries: number, spread: readonly number[]): Promise<BenchCluster | null> {
  const [binary] = await serverBinaries();
  if (!binary) return null;
  const cluster = await LocalCluster.start({ binary, primaries, replicas: 0, appendonly: 'everysec' });
  for (const [index, slot] of spread.entries()) await cluster.migrate([slot], cluster.nodes[index % primaries]!);
  return { url: cluster.urls[0]!, pids: cluster.nodes.map(({ pid }) => pid), stop: () => cluster.stop() };
}
