import type { RedisConnection } from '../connection/redis-connection.js';
import type { ServerFacts } from '../connection/server-facts.js';
import { ClusterListener } from './cluster-listener.js';
import type { ClusterNodes } from './cluster-nodes.js';
import { slotOf } from './slot.js';
import { SlotConnection } from './slot-connection.js';
import type { PrimaryServer, Topology } from './topology.js';

/**
 * A Redis Cluster. To each node with slots go one connection for each shared purpose, whatever the number of slots, topics and
 * partitions; each reader that waits has one of its own.
 */
export class ClusterTopology implements Topology {
  readonly server: ServerFacts;
  readonly #nodes: ClusterNodes;
  /** By purpose and slot. */
  readonly #shared = new Map<string, Map<number, SlotConnection>>();
  #opened = 0;

  /** @param nodes which are known */
  constructor(nodes: ClusterNodes, server: ServerFacts) {
    this.#nodes = nodes;
    this.server = server;
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
    return new SlotConnection({ nodes: this.#nodes, slot: slotOf(key), purpose: this.#ownName(purpose), profile: 'blocking', isOwn: true });
  }

  listening(purpose: string): RedisConnection {
    return new ClusterListener(this.#nodes, this.#ownName(purpose));
  }

  primaries(): readonly PrimaryServer[] {
    return [...this.#nodes.slots.primaries].map((node) => ({ node, control: this.#nodes.at(node, 'control', 'control') }));
  }

  async ping(): Promise<void> {
    await Promise.all(this.primaries().map(({ control }) => control.call('PING')));
  }

  close(): void {
    this.#nodes.close();
  }

  #ownName(purpose: string): string {
    this.#opened += 1;
    return `${purpose}#${this.#opened}`;
  }

  #sharedFor(key: string, purpose: string, profile: 'publish' | 'control' | 'blocking'): SlotConnection {
    const slot = slotOf(key);
    const bySlot = this.#shared.get(purpose) ?? new Map<number, SlotConnection>();
    this.#shared.set(purpose, bySlot);
    const connection = bySlot.get(slot) ?? new SlotConnection({ nodes: this.#nodes, slot, purpose, profile, isOwn: false });
    bySlot.set(slot, connection);
    return connection;
  }
}
