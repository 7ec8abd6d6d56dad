import type { PresencePort } from '@millrace/core';
import { connectRedis, type RedisTarget, type Topology } from '@millrace/redis';
import { createRpc, type Rpc, type RpcOptions } from '@millrace/rpc';
import { createStreams } from '@millrace/streams';

export interface RpcProcessOptions extends Omit<RpcOptions, 'redis' | 'presence'> {
  readonly target: RedisTarget;
  readonly leaseMs: number;
  /** In place of a connection to the target; the process closes it. */
  readonly redis?: Topology;
}

export interface RpcProcess {
  readonly rpc: Rpc;
  readonly redis: Topology;
  readonly presence: PresencePort;
  stop(deadlineMs?: number): Promise<void>;
}

/** Connections, presence and calls, as one process of a user has them; answers are kept only where a test says so. */
export async function startRpcProcess({ target, leaseMs, ...options }: RpcProcessOptions): Promise<RpcProcess> {
  const redis = options.redis ?? (await connectRedis(target));
  const streams = createStreams({ redis, leaseMs, prefix: options.prefix });
  const rpc = createRpc({ ledgerOf: null, ...options, redis, presence: streams.presence });
  let stopped: Promise<void> | null = null;
  const stop = async (deadlineMs: number): Promise<void> => {
    await rpc.stop(deadlineMs);
    await streams.stop(0);
    redis.close();
  };
  return { rpc, redis, presence: streams.presence, stop: (deadlineMs = 200) => (stopped ??= stop(deadlineMs)) };
}
