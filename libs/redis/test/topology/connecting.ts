import { MillraceError } from '@millrace/core';
import { connectRedis, type RedisConnectOptions, type Topology } from '@millrace/redis';

const topologies: Topology[] = [];

/** Connects until {@link closeAll}. */
export async function connect(options: RedisConnectOptions): Promise<Topology> {
  const topology = await connectRedis(options);
  topologies.push(topology);
  return topology;
}

export function closeAll(): void {
  for (const topology of topologies.splice(0)) topology.close();
}

/** The error with which a start fails. */
export async function failure(options: RedisConnectOptions): Promise<MillraceError> {
  try {
    (await connectRedis(options)).close();
  } catch (error) {
    if (error instanceof MillraceError) return error;
    throw error;
  }
  throw new Error('It connected.');
}
