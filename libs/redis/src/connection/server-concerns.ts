import { fieldOf } from './info.js';
import type { RedisConnection } from './redis-connection.js';

/** A server that stores data, its INFO, and its address for words. */
export interface KnownServer {
  readonly where: string;
  readonly info: string;
}

const MIN_REPLICAS =
  'Set min-replicas-to-write 1 and min-replicas-max-lag 2: otherwise one that stood still while a replica took its place goes on to take ' +
  'writes, which are lost.';
const COVERAGE = 'Set it to no: otherwise, while one primary is away, the others refuse their keys as well.';

/**
 * The settings with which servers that have replicas lose more, or stop for longer, than they must. Settings that a server
 * does not tell are passed over.
 *
 * @returns a sentence or two for each
 */
export function concernsAbout(servers: readonly KnownServer[]): string[] {
  const named = (holds: (info: string) => boolean): string => servers.filter(({ info }) => holds(info)).map(({ where }) => where).join(', ');
  const concerns = [
    [named(isAlone), 'has no replica', 'When it fails, its keys are away until it is back, and lost with its disk.'],
    // A server without a bound does not count the replicas that are good enough for it.
    [named((info) => !isAlone(info) && fieldOf(info, 'min_slaves_good_slaves') === null), 'takes writes without any replica', MIN_REPLICAS],
    [named((info) => fieldOf(info, 'aof_enabled') === '0'), 'has no append-only file', 'Set appendonly yes: otherwise a crash of all copies at once loses everything.'],
  ] as const;
  return concerns.flatMap(([where, what, advice]) => (where === '' ? [] : [`The Redis at ${where} ${what}. ${advice}`]));
}

/** @returns the concern about a setting of the whole Cluster, where it can be read */
export async function concernAboutCoverage(node: RedisConnection): Promise<string[]> {
  const setting = (await node.call('CONFIG', 'GET', 'cluster-require-full-coverage').catch(() => [])) as string[];
  return setting[1] === 'yes' ? [`The Redis Cluster has cluster-require-full-coverage yes. ${COVERAGE}`] : [];
}

function isAlone(info: string): boolean {
  return fieldOf(info, 'connected_slaves') === '0';
}
