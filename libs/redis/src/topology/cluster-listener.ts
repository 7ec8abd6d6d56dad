import { COMMAND_TIMEOUT_MS } from '../connection/profiles.js';
import type { Command, ConnectionWatcher, Outcome, RedisConnection } from '../connection/redis-connection.js';
import type { RedisArgument } from '../connection/redis-driver.js';
import { RedisFailure } from '../connection/redis-failure.js';
import type { ServerConnection } from '../connection/server-connection.js';
import type { RunnableScript } from '../script/script.js';
import type { ClusterNodes } from './cluster-nodes.js';
import { slotOf } from './slot.js';

/** A subscription on one node, as it was made. */
interface Subscription {
  readonly node: string;
  readonly connection: ServerConnection;
  readonly epoch: number;
}

/**
 * Subscribes to each channel on the node that has its slot, over one connection to a node. When one of them is lost, or a slot
 * with a channel goes to another node, all of it counts as lost, and is ready again when each node has its connection.
 */
export class ClusterListener implements RedisConnection {
  readonly name: string;
  readonly #nodes: ClusterNodes;
  readonly #purpose: string;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #stopWatching: () => void;
  readonly #closing = new AbortController();
  #watcher: ConnectionWatcher | null = null;
  #epoch = 0;
  #wasReady = false;

  /** @param purpose no other listener has it */
  constructor(nodes: ClusterNodes, purpose: string) {
    this.#nodes = nodes;
    this.#purpose = purpose;
    this.name = `${purpose}@cluster`;
    nodes.hear(purpose, (channel, text) => this.#watcher?.message(channel, text));
    this.#stopWatching = nodes.onChange(() => this.#look());
    this.#wasReady = this.isReady;
  }

  /** Whether the nodes are known, and each with a channel has its connection. */
  get isReady(): boolean {
    if (this.isClosed || this.#nodes.isClosed || this.#nodes.slots.primaries.size === 0) return false;
    return [...this.#subscriptions.keys()].every((channel) => this.#connectionFor(channel)?.isReady);
  }

  get isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  get connectionEpoch(): number {
    return this.#epoch;
  }

  get lastError(): Error | null {
    const errors = [...this.#subscriptions.values()].map(({ connection }) => connection.lastError);
    return errors.find((error) => error !== null) ?? null;
  }

  /** Sends a command without a key, such as PING, to each node with a channel. @returns one of the replies */
  async call(command: string, ...args: RedisArgument[]): Promise<unknown> {
    const connections = new Set([...this.#subscriptions.values()].map(({ connection }) => connection));
    const replies = await Promise.all([...connections].map((connection) => connection.call(command, ...args)));
    return replies[0] ?? null;
  }

  run(script: RunnableScript): Promise<unknown> {
    return Promise.reject(this.#unsent(script.name));
  }

  callBoth(first: Command): Promise<[Outcome, Outcome]> {
    const outcome: Outcome = { status: 'rejected', reason: this.#unsent(first[0]) };
    return Promise.resolve([outcome, outcome]);
  }

  watch(watcher: ConnectionWatcher): void {
    this.#watcher = watcher;
  }

  async subscribe(channels: readonly string[]): Promise<void> {
    await Promise.all(channels.map((channel) => this.#subscribe(channel)));
  }

  async unsubscribe(channels: readonly string[]): Promise<void> {
    await Promise.all(channels.map(async (channel) => {
      const subscription = this.#subscriptions.get(channel);
      this.#subscriptions.delete(channel);
      if (subscription?.connection.isReady) await subscription.connection.unsubscribe([channel]);
    }));
  }

  whenReady(timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    return this.#nodes.when(() => this.isReady, timeoutMs, signal);
  }

  close(): void {
    if (this.isClosed) return;
    this.#closing.abort();
    this.#stopWatching();
    this.#nodes.closeAllBut([], this.#purpose);
  }

  async #subscribe(channel: string): Promise<void> {
    const connection = this.#connectionFor(channel);
    if (!connection || !(await connection.whenReady(COMMAND_TIMEOUT_MS, this.#closing.signal))) throw this.#unsent('SSUBSCRIBE');
    // It is noted before it is made: a loss in between must not be missed.
    const node = this.#nodes.ownerOf(slotOf(channel))!;
    this.#subscriptions.set(channel, { node, connection, epoch: connection.connectionEpoch });
    await connection.subscribe([channel]);
  }

  #connectionFor(channel: string): ServerConnection | null {
    const node = this.#nodes.ownerOf(slotOf(channel));
    return node === null || this.#nodes.isClosed ? null : this.#nodes.at(node, this.#purpose, 'listening');
  }

  /** Whether each channel is heard where it was subscribed to. */
  get #isWhole(): boolean {
    return [...this.#subscriptions].every(([channel, { connection, epoch }]) =>
      connection === this.#connectionFor(channel) && connection.connectionEpoch === epoch);
  }

  #look(): void {
    const isWhole = this.#isWhole;
    if (!isWhole) this.#lost();
    const { isReady } = this;
    if (isReady && (!this.#wasReady || !isWhole)) this.#watcher?.ready();
    this.#wasReady = isReady;
  }

  #lost(): void {
    this.#epoch += 1;
    const nodes = [...this.#subscriptions.keys()].map((channel) => this.#nodes.ownerOf(slotOf(channel)));
    this.#subscriptions.clear();
    this.#nodes.closeAllBut(nodes.filter((node) => node !== null), this.#purpose);
    this.#watcher?.lost();
  }

  #unsent(what: string): RedisFailure {
    const { lastError } = this;
    const message = `${what} failed: not every node of the Cluster has a connection at the moment (${lastError?.message ?? 'it is being made'}).`;
    return new RedisFailure('unsent', message, lastError ?? undefined);
  }
}
