import { fieldOf } from '@millrace/redis';
import { auditKey } from '../keys.js';
import type { UseCaseParts } from '../parts.js';

/** The server that this process asks, and what is not as it must be. In a Cluster it is the node that has the audit stream. */
export interface RedisHealth {
  /** `Redis 7.0.15`. */
  readonly product: string;
  readonly version: string;
  /** Anything but `noeviction` lets Redis throw messages away; null when the server does not say. */
  readonly evictionPolicy: string | null;
  /** Whether it has an append-only file; null when the server does not say. */
  readonly appendOnly: boolean | null;
  readonly usedBytes: number | null;
  /** Null without a limit. */
  readonly maxBytes: number | null;
  readonly connectedClients: number | null;
  readonly uptimeSeconds: number | null;
  /** A sentence or two for each thing that is to be mended. */
  readonly concerns: readonly string[];
}

export interface Overview {
  readonly redis: RedisHealth;
  readonly topics: number;
}

const NEARLY_FULL = 0.8;

/** The health of Redis, and how many topics there are: cheap, so that it may be asked every second. */
export async function overview({ redis, prefix, streams }: UseCaseParts): Promise<Overview> {
  const [info, topics] = await Promise.all([
    redis.controlFor(auditKey(prefix)).call('INFO').then(String),
    streams.inspector.topics(),
  ]);
  return { redis: healthOf(info, redis.server), topics: topics.length };
}

function healthOf(info: string, server: UseCaseParts['redis']['server']): RedisHealth {
  const evictionPolicy = fieldOf(info, 'maxmemory_policy');
  const appendOnly = isOn(fieldOf(info, 'aof_enabled'));
  const [usedBytes, limit] = [numberOf(fieldOf(info, 'used_memory')), numberOf(fieldOf(info, 'maxmemory'))];
  const maxBytes = limit === 0 ? null : limit;
  return {
    product: server.product,
    version: fieldOf(info, 'redis_version') ?? server.version,
    evictionPolicy, appendOnly, usedBytes, maxBytes,
    connectedClients: numberOf(fieldOf(info, 'connected_clients')),
    uptimeSeconds: numberOf(fieldOf(info, 'uptime_in_seconds')),
    concerns: [...server.concerns, ...concernsAbout({ evictionPolicy, appendOnly, usedBytes, maxBytes })],
  };
}

type Figures = Pick<RedisHealth, 'evictionPolicy' | 'appendOnly' | 'usedBytes' | 'maxBytes'>;

function concernsAbout({ evictionPolicy, appendOnly, usedBytes, maxBytes }: Figures): string[] {
  const isEvicting = evictionPolicy !== null && evictionPolicy !== 'noeviction';
  const isNearlyFull = usedBytes !== null && maxBytes !== null && usedBytes > maxBytes * NEARLY_FULL;
  return [
    ...(isEvicting ? [`maxmemory-policy is ${evictionPolicy}: Redis throws messages away when it is full. Set it to noeviction.`] : []),
    ...(appendOnly === false ? ['There is no append-only file: a crash of Redis loses what was stored since its last snapshot. Set appendonly yes.'] : []),
    ...(isNearlyFull ? ['More than 80 % of maxmemory is used: publishes are refused when it is full. Give it more, or consume and trim what is stored.'] : []),
  ];
}

function isOn(field: string | null): boolean | null {
  return field === null ? null : field === '1';
}

function numberOf(field: string | null): number | null {
  return field === null || field === '' ? null : Number(field);
}
