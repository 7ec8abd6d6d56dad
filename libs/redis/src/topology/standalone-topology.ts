import { MillraceError } from '@millrace/core';
import type { Profile } from '../connection/profiles.js';
import type { RedisConnection } from '../connection/redis-connection.js';
import type { ServerConnection } from '../connection/server-connection.js';
import type { ServerFacts } from '../connection/server-facts.js';
import type { PrimaryServer, Topology } from './topology.js';

/** Makes a connection with the name of its purpose, which begins to connect. */
export type OpenConnection = (purpose: string, profile: Profile) => ServerConnection;

interface BootConnections {
  readonly publish: ServerConnection;
  readonly control: ServerConnection;
  /** Called at the end of all connections. */
  readonly release?: () => void;
}

/** One server has all keys: a Redis by itself, or the primary behind an address that follows it. */
export class StandaloneTopology implements Topology {
  readonly publish: ServerConnection;
  readonly control: ServerConnection;
  readonly server: ServerFacts;
  readonly #openConnection: OpenConnection;
  #opened: RedisConnection[];
  /** By purpose. */
  readonly #waiting = new Map<string, RedisConnection>();
  readonly #release: (() => void) | undefined;
  #isClosed = false;

  constructor(openConnection: OpenConnection, server: ServerFacts, opened: BootConnections) {
    this.#openConnection = openConnection;
    this.server = server;
    this.publish = opened.publish;
    this.control = opened.control;
    this.#opened = [opened.publish, opened.control];
    this.#release = opened.release;
  }

  publishFor(): RedisConnection {
    return this.publish;
  }

  controlFor(): RedisConnection {
    return this.control;
  }

  waitingFor(_key: string, purpose: string): RedisConnection {
    const connection = this.#waiting.get(purpose) ?? this.#open(purpose, 'blocking');
    this.#waiting.set(purpose, connection);
    return connection;
  }

  blockingFor(_key: string, purpose: string): RedisConnection {
    return this.#open(purpose, 'blocking');
  }

  listening(purpose: string): RedisConnection {
    return this.#open(purpose, 'listening');
  }

  #open(purpose: string, profile: Profile): RedisConnection {
    if (this.#isClosed) throw new MillraceError('CLOSED', `No connection for ${purpose} is made any more: those to Redis are closed.`);
    const connection = this.#openConnection(purpose, profile);
    this.#opened = [...this.#opened.filter(({ isClosed }) => !isClosed), connection];
    return connection;
  }

  primaries(): readonly PrimaryServer[] {
    return [{ node: null, control: this.control }];
  }

  async ping(): Promise<void> {
    await this.control.call('PING');
  }

  close(): void {
    this.#isClosed = true;
    for (const connection of this.#opened) connection.close();
    this.#release?.();
  }
}
