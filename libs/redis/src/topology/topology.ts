import type { RedisConnection } from '../connection/redis-connection.js';
import type { ServerFacts } from '../connection/server-facts.js';

/** A server that has keys. */
export interface PrimaryServer {
  /** Its address in a Cluster, `host:port`; null for one that has all keys. */
  readonly node: string | null;
  /** The connection to it for looks, whichever keys it has. */
  readonly control: RedisConnection;
}

/**
 * Knows which connections of this process lead to which keys. Code that works with a key asks it, and knows nothing of nodes.
 * Every implementation promises:
 *
 * - It answers at once from what it knows. Asking costs no more than a look into a map.
 * - A key gets the same connection for a purpose for as long as the topology is open, so the connection may be kept. It leads
 *   to whichever server has the key, and its `connectionEpoch` grows when that may have become another one: after a lost
 *   connection, after a failover, and when the key moves to another node.
 * - Keys that get the same connection may stand in one command. Keys with the same hash tag always get the same one.
 * - A command that may have been executed is never sent again, and a command fails as {@link RedisConnection} says.
 */
export interface Topology {
  /** The server that answered at boot. */
  readonly server: ServerFacts;

  /** The connection on which messages are published and settled. */
  publishFor(key: string): RedisConnection;

  /** The connection for looks, upkeep and signs of life: a large write cannot delay them. */
  controlFor(key: string): RedisConnection;

  /**
   * The connection for a purpose whose commands wait inside Redis for a moment, such as WAIT. All keys of a server share it.
   *
   * @throws MillraceError CLOSED after {@link close}
   */
  waitingFor(key: string, purpose: string): RedisConnection;

  /**
   * A new connection whose commands may wait inside Redis; close it with {@link RedisConnection.close}.
   *
   * @throws MillraceError CLOSED after {@link close}
   */
  blockingFor(key: string, purpose: string): RedisConnection;

  /**
   * A new connection that subscribes to channels and does nothing else; close it with {@link RedisConnection.close}. It hears
   * what is published on any node.
   *
   * @throws MillraceError CLOSED after {@link close}
   */
  listening(purpose: string): RedisConnection;

  /** The servers that have keys, as far as is known now: those are among them that do not answer, or have no connection. */
  primaries(): readonly PrimaryServer[];

  /**
   * Resolves when every server answers that has keys.
   *
   * @throws RedisFailure
   */
  ping(): Promise<void>;

  /** Closes every connection that it gave away. May be called again. */
  close(): void;
}
