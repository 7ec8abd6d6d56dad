import { MillraceError } from '@millrace/core';
import { toPrimary } from '../connection/open-connection.js';
import { assertAddresses, assertNatMap } from '../connection/redis-address.js';
import { type SentinelTarget, shownTarget } from '../connection/redis-target.js';
import { Sentinels } from '../connection/sentinels.js';
import { readPrimaryFacts } from '../connection/server-facts.js';
import type { StandaloneTopology } from '../topology/standalone-topology.js';
import { assertConnectionName, assertDatabase, type ConnectionName, standalone } from './connect-server.js';

/**
 * Connects to the primary that Sentinels watch, and follows it to the server that takes its place.
 *
 * @throws MillraceError as `connectRedis`
 */
export async function connectPrimary({ name = 'millrace', ...target }: SentinelTarget & ConnectionName): Promise<StandaloneTopology> {
  const { nodes, primary, natMap } = target.sentinel;
  assertConnectionName(name);
  assertAddresses(nodes, 'Sentinels');
  assertNatMap(natMap);
  if (typeof primary !== 'string' || primary === '') {
    throw new MillraceError('INVALID_OPTIONS', 'The name is missing under which the Sentinels watch the primary: SENTINEL MASTERS shows it.');
  }
  const where = shownTarget(target);
  const sentinels = new Sentinels(target.sentinel, `${name}:sentinel`);
  return standalone(toPrimary(sentinels, target), {
    name,
    where,
    isEncrypted: target.tls !== undefined,
    factsOf: readPrimaryFacts,
    release: () => sentinels.close(),
    check: ({ control }) => assertDatabase(control, target.database ?? 0, where),
  });
}
