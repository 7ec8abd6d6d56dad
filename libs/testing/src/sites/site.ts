import type { RedisTarget } from '@millrace/redis';
import type { Network } from '../network.js';

/** The servers of one Redis, whichever way it is set up, and the ways in which they break. */
export interface Site {
  /** How a process reaches it directly. */
  readonly target: RedisTarget;
  /** A network of its own to all servers: the caller stops it. */
  network(): Promise<Network>;
  /** All servers crash at once, and start again with what they have stored. Resolves when they answer. */
  crash(): Promise<void>;
  /** Ends all servers, and removes their data. */
  stop(): Promise<void>;
}
