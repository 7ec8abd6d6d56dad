import type { PresencePort } from '@millrace/core';
import { connectServer, type StandaloneTopology } from '@millrace/redis';
import { createStreams } from '@millrace/streams';

/** The connections of a process, and its sign of life. */
export interface Peer {
  readonly redis: StandaloneTopology;
  readonly presence: PresencePort;
  readonly stop: () => Promise<void>;
}

export interface PeerOptions {
  readonly url: string;
  readonly prefix: string;
  readonly leaseMs: number;
}

/** For processes of their own, too: it needs no runner of tests. */
export async function startPeer({ url, prefix, leaseMs }: PeerOptions): Promise<Peer> {
  const redis = await connectServer({ url });
  const streams = createStreams({ redis, prefix, leaseMs });
  const stop = async (): Promise<void> => {
    const stopped = streams.stop(0);
    redis.close();
    await stopped;
  };
  return { redis, presence: streams.presence, stop };
}
