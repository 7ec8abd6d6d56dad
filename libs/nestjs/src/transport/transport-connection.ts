import { Publisher } from '@millrace/core';
import type { Rpc } from '@millrace/rpc';
import type { Streams } from '@millrace/streams';
import type { Settings } from '../config/settings.js';
import { EventLog } from '../log/event-log.js';
import { Connections } from '../module/connections.js';
import { Inbox } from '../module/inbox.js';
import { Ledgers } from '../module/ledgers.js';
import { Telemetry } from '../telemetry/telemetry.js';
import { TransportTopics } from './transport-topics.js';
import type { MillraceUnwrapped } from './unwrapped.js';

/** The open connections of a server or a client, and what works on them. */
export interface OpenTransport {
  readonly streams: Streams;
  readonly rpc: Rpc;
  readonly topics: TransportTopics;
  readonly inbox: Inbox;
  readonly ledgers: Ledgers;
  readonly unwrapped: MillraceUnwrapped;
}

let made = 0;

/** The connections of one server or client: opened once, closed once. */
export class TransportConnection {
  /** The first part of their names, which no others of this process have: they may lead to another Redis. */
  readonly name: string;
  readonly #settings: Settings;
  readonly #connections: Connections;
  readonly #inbox: Inbox;
  readonly #ledgers: Ledgers;
  readonly #telemetry: Telemetry;
  readonly #log = new EventLog();

  constructor(settings: Settings) {
    this.#settings = settings;
    made += 1;
    this.name = `${settings.prefix}:nest-${made}`;
    this.#connections = new Connections({ ...settings, connectionName: this.name });
    this.#inbox = new Inbox(this.#connections, settings);
    this.#ledgers = new Ledgers(this.#connections, settings);
    this.#telemetry = new Telemetry(settings, this.#connections);
  }

  /** @throws MillraceError REDIS_UNREACHABLE, REDIS_UNSUPPORTED, INVALID_OPTIONS, CLOSED */
  async open(): Promise<OpenTransport> {
    this.#log.start();
    await this.#telemetry.start();
    const streams = await this.#connections.streams();
    const rpc = await this.#connections.rpc();
    const { inspector, deadLetters, groups, orders, topics } = streams;
    const publisher = new Publisher(streams, this.#settings.unknownProperties);
    const operators = { publisher, inspector, deadLetters, groups, orders, topics };
    const unwrapped = { ...operators, telemetry: this.#telemetry, subscriptions: () => [] };
    return { streams, rpc, topics: new TransportTopics(inspector), inbox: this.#inbox, ledgers: this.#ledgers, unwrapped };
  }

  /** Called when the handlers have ended. */
  async close(): Promise<void> {
    await this.#inbox.stopPurge();
    await this.#ledgers.stop();
    await this.#telemetry.handOver();
    await this.#connections.close();
    this.#log.stop();
    this.#telemetry.stop();
  }
}
