import { connect, Socket } from 'node:net';
import { connect as connectSecurely, type TLSSocket } from 'node:tls';
import { asError } from '@millrace/core';
import { AbstractConnector, type RedisOptions } from 'ioredis';
import type { RedisAddress } from './redis-address.js';
import { type RedisTls, trustFor } from './redis-target.js';
import type { Sentinels } from './sentinels.js';

type Connector = NonNullable<RedisOptions['Connector']>;
type Tell = Parameters<AbstractConnector['connect']>[0];

interface ConnectorOptions {
  /** How long a connection may take to close, in milliseconds. */
  readonly disconnectTimeout: number;
  readonly tls?: RedisTls | undefined;
}

/** Where a client of ioredis connects to: the primary that the Sentinels name at that moment. It leaves it for a successor. */
export function connectorTo(sentinels: Sentinels, { disconnectTimeout, tls }: ConnectorOptions): Connector {
  return class PrimaryConnector extends AbstractConnector {
    #primary: RedisAddress | null = null;
    #tell: Tell | null = null;

    constructor() {
      super(disconnectTimeout);
    }

    /** A Sentinel that stood still may name a server that is a replica by now. */
    override check({ role }: { readonly role?: string }): boolean {
      const isPrimary = role === undefined || role === 'master';
      if (!isPrimary) this.#tell?.('error', new Error(`The Sentinels name ${shown(this.#primary)}, which is a replica`));
      return isPrimary;
    }

    async connect(tell: Tell): Promise<Socket | TLSSocket> {
      this.connecting = true;
      this.#tell = tell;
      const found = sentinels.whoIsPrimary().then((primary) => this.#open(primary));
      const stream = await found.catch((error: unknown) => this.#failed(asError(error)));
      if (!this.connecting) stream.destroy();
      this.stream = stream;
      return stream;
    }

    #open(primary: RedisAddress): Socket | TLSSocket {
      this.#primary = primary;
      const stream = tls ? connectSecurely({ ...primary, ...trustFor(primary.host, tls) }) : connect(primary);
      stream.once('error', (error: Error) => void (this.firstError = error));
      const unfollow = sentinels.follow((next) => {
        if (shown(next) !== shown(primary)) stream.destroy();
      });
      stream.once('close', unfollow);
      return stream;
    }

    /** ioredis tries again after a connection that ended, and never after a promise that failed. */
    #failed(error: Error): Socket {
      this.firstError = error;
      return new Socket().destroy();
    }
  };
}

function shown(address: RedisAddress | null): string {
  return `${address?.host}:${address?.port}`;
}
