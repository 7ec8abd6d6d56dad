import { type PrimaryServer, type Profile, type RedisConnection, redisConnection, type ServerFacts, type Topology } from '@millrace/redis';

/**
 * Gives each hash tag connections of its own, as a topology does whose keys are on several nodes. Behind it is one node of a
 * Cluster, which refuses a command or a script whose keys lie in several slots, and a script that touches a key which it did
 * not name.
 */
export class SlottedTopology implements Topology {
  readonly server: ServerFacts = { version: '7.0.0', product: 'Redis 7.0.0', evictionPolicy: 'noeviction', replicas: 0, capabilities: new Set(), concerns: [] };
  readonly #url: string;
  readonly #shared = new Map<string, RedisConnection>();
  #opened: RedisConnection[] = [];

  private constructor(url: string) {
    this.#url = url;
  }

  /** @param keys one for each hash tag that is used at once: their connections are ready when it resolves */
  static async open(url: string, keys: readonly string[]): Promise<SlottedTopology> {
    const topology = new SlottedTopology(url);
    const connections = keys.flatMap((key) => [topology.publishFor(key), topology.controlFor(key)]);
    await Promise.all(connections.map((connection) => connection.whenReady(10_000)));
    return topology;
  }

  publishFor(key: string): RedisConnection {
    return this.#sharedFor(key, 'publish', 'publish');
  }

  controlFor(key: string): RedisConnection {
    return this.#sharedFor(key, 'control', 'control');
  }

  waitingFor(key: string, purpose: string): RedisConnection {
    return this.#sharedFor(key, purpose, 'blocking');
  }

  blockingFor(key: string, purpose: string): RedisConnection {
    return this.#open(`${purpose}:${tagOf(key)}`, 'blocking');
  }

  listening(purpose: string): RedisConnection {
    return this.#open(purpose, 'listening');
  }

  primaries(): readonly PrimaryServer[] {
    return [...this.#shared.values()].slice(0, 1).map((control) => ({ node: null, control }));
  }

  async ping(): Promise<void> {
    await Promise.all([...this.#shared.values()].map((connection) => connection.call('PING')));
  }

  close(): void {
    for (const connection of this.#opened) connection.close();
  }

  #sharedFor(key: string, purpose: string, profile: Profile): RedisConnection {
    const name = `${purpose}:${tagOf(key)}`;
    const connection = this.#shared.get(name) ?? this.#open(name, profile);
    this.#shared.set(name, connection);
    return connection;
  }

  #open(name: string, profile: Profile): RedisConnection {
    const connection = redisConnection({ url: this.#url }, name.replace(/[{}\s]/g, ''), profile);
    connection.connect();
    this.#opened.push(connection);
    return connection;
  }
}

function tagOf(key: string): string {
  return /\{(.+?)\}/.exec(key)?.[1] ?? key;
}
