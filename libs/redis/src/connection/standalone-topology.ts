import { MillraceError } from '@millrace/core';
import type { Profile } from './profiles.js';
import type { RedisConnection } from './redis-connection.js';
import type { ServerFacts } from './server-facts.js';
import type { Topology } from './topology.js';

/** Makes a connection with the name of its purpose, which begins to connect. */
export type OpenConnection = (purpose: string, profile: Profile) => RedisConnection;

interface BootConnections {
  readonly publish: RedisConnection;
  readonly control: RedisConnection;
}

/** One server has all keys: a Redis by itself, or the primary behind an address that follows it. */
export class StandaloneTopology implements Topology {
  readonly publish: RedisConnection;
  readonly control: RedisConnection;
  readonly server: ServerFacts;
  readonly #openConnection: OpenConnection;
  #opened: RedisConnection[];
  #isClosed = false;

  constructor(openConnection: OpenConnection, server: ServerFacts, opened: BootConnections) {
    this.#openConnection = openConnection;
    this.server = server;
    this.publish = opened.publish;
    this.control = opened.control;
    this.#opened = [opened.publish, opened.control];
  }

  publishFor(): RedisConnection {
    return this.publish;
  }

  controlFor(): RedisConnection {
    return this.control;
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

  async ping(): Promise<void> {
    await this.control.call('PING');
  }

  close(): void {
    this.#isClosed = true;
    for (const connection of this.#opened) connection.close();
  }
}
