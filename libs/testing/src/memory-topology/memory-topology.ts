import { ServerConnection, type ServerFacts, StandaloneTopology, type OpenConnection } from '@millrace/redis';
import { MemoryDriver } from './memory-driver.js';
import type { MemoryServer } from './memory-server.js';
import type { MemoryNetwork } from './network.js';

const FACTS: ServerFacts = { version: '7.0.15', product: 'Redis 7.0.15', evictionPolicy: 'noeviction', replicas: 0, capabilities: new Set(), concerns: [] };

export interface MemoryTopologyOptions {
  /** The first part of the names of its connections. Default `memory`. */
  readonly name?: string;
  /** Default: everything arrives at once. */
  readonly network?: MemoryNetwork;
}

/** The connections of one process to a Redis in memory. Its network can be broken. */
export class MemoryTopology extends StandaloneTopology {
  readonly #drivers: MemoryDriver[];

  /** The connections are being made; a publish waits until they are. */
  constructor(server: MemoryServer, { name = 'memory', network = {} }: MemoryTopologyOptions = {}) {
    const drivers: MemoryDriver[] = [];
    const open: OpenConnection = (purpose, profile) => {
      const fullName = `${name}:${purpose}`;
      const connection = new ServerConnection(fullName, (reconnectOnError) => {
        const driver = new MemoryDriver(server, { name: fullName, profile, network, reconnectOnError });
        drivers.push(driver);
        return driver;
      });
      connection.connect();
      return connection;
    };
    super(open, FACTS, { publish: open('publish', 'publish'), control: open('control', 'control') });
    this.#drivers = drivers;
  }

  /** Every connection ends as by a TCP reset, and is made again. */
  lose(): void {
    for (const driver of this.#drivers) driver.lose();
  }

  /** The client sees every connection end, and makes it again; requests on their way still arrive, however late. */
  loseReplies(): void {
    for (const driver of this.#drivers) driver.loseReplies();
  }

  /** The process has died: the server sees its connections end, behind the requests that it has sent. */
  kill(): void {
    for (const driver of this.#drivers) driver.kill();
  }
}

/** The connections of one process to a Redis in memory, once they are ready. */
export async function connectMemory(server: MemoryServer, options?: MemoryTopologyOptions): Promise<MemoryTopology> {
  const topology = new MemoryTopology(server, options);
  await Promise.all([topology.publish, topology.control].map((connection) => connection.whenReady(READY_WAIT_MS)));
  return topology;
}

const READY_WAIT_MS = 5_000;
