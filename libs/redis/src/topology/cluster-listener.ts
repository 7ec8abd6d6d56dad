import { MillraceError } from '@millrace/core';
import { COMMAND_TIMEOUT_MS } from '../connection/profiles.js';
import type { Command, ConnectionWatcher, Outcome, RedisConnection } from '../connection/redis-connection.js';
import type { RedisArgument } from '../connection/redis-driver.js';
import { redirectOf, type RedisFailure } from '../connection/redis-failure.js';
import type { ServerConnection } from '../connection/server-connection.js';
import type { RunnableScript } from '../script/script.js';
import type { ClusterNodes } from './cluster-nodes.js';
import { slotOf } from './slot.js';

/** A channel that somebody wants to hear. */
interface Channel {
  readonly slot: number;
  /** The connection on which it was subscribed to, and its epoch then; null while it is not heard. */
  subscribed: { readonly to: ServerConnection; readonly epoch: number } | null;
}

/**
 * Subscribes to each channel on the node that has its slot, over one connection to a node. When one of these is lost, or a slot
 * goes to another node, the channels of that node are lost, and no others.
 */
export class ClusterListener implements RedisConnection {
  readonly name: string;
  readonly #nodes: ClusterNodes;
  readonly #purpose: string;
  /** By name. */
  readonly #channels = new Map<string, Channel>();
  readonly #stopWatching: () => void;
  readonly #closing = new AbortController();
  /** Waits for connections that are made for the first time: all channels of a node share one. */
  readonly #making = new Map<ServerConnection, Promise<void>>();
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

  /** Whether the nodes are known, and one with a channel has its connection. */
  get isReady(): boolean {
    if (this.isClosed || this.#nodes.isClosed || this.#nodes.slots.primaries.size === 0) return false;
    return this.#channels.size === 0 || [...this.#channels.values()].some((channel) => this.#connectionFor(channel)?.isReady);
  }

  get isClosed(): boolean {
    return this.#closing.signal.aborted;
  }

  get connectionEpoch(): number {
    return this.#epoch;
  }

  get lastError(): Error | null {
    const errors = [...this.#channels.values()].map((channel) => this.#connectionFor(channel)?.lastError ?? null);
    return errors.find((error) => error !== null) ?? null;
  }

  /**
   * Sends a command without a key, such as PING, to each node on which a channel is heard. The channels of one that does not
   * answer are lost.
   *
   * @returns one of the replies
   */
  async call(command: string, ...args: RedisArgument[]): Promise<unknown> {
    const connections = [...new Set([...this.#channels.values()].flatMap(({ subscribed }) => subscribed?.to ?? []))];
    const outcomes = await Promise.allSettled(connections.map((connection) => connection.call(command, ...args)));
    const silent = new Set(connections.filter((_, index) => outcomes[index]!.status === 'rejected'));
    this.#lose(({ subscribed }) => subscribed !== null && silent.has(subscribed.to));
    const answered = outcomes.find(({ status }) => status === 'fulfilled') ?? outcomes[0];
    if (answered?.status === 'rejected') throw answered.reason;
    return answered?.value ?? null;
  }

  run(script: RunnableScript): Promise<unknown> {
    return Promise.reject(this.#refusal(script.name));
  }

  callBoth(first: Command): Promise<[Outcome, Outcome]> {
    const outcome: Outcome = { status: 'rejected', reason: this.#refusal(first[0]) };
    return Promise.resolve([outcome, outcome]);
  }

  watch(watcher: ConnectionWatcher): void {
    this.#watcher = watcher;
  }

  async subscribe(names: readonly string[]): Promise<readonly string[]> {
    const errors = (await Promise.all(names.map((name) => this.#subscribe(name)))).filter((error) => error !== null);
    const refusal = errors.find((error) => !isPassing(error));
    if (refusal) throw refusal;
    return names.filter((name) => this.#isHeard(this.#channels.get(name)));
  }

  async unsubscribe(names: readonly string[]): Promise<void> {
    await Promise.all(names.map(async (name) => {
      const channel = this.#channels.get(name);
      this.#channels.delete(name);
      if (channel && this.#isHeard(channel)) await channel.subscribed!.to.unsubscribe([name]);
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

  /** @returns the error of a node; null when it is heard, or its node is away */
  async #subscribe(name: string): Promise<RedisFailure | null> {
    const channel = this.#channels.get(name) ?? { slot: slotOf(name), subscribed: null };
    this.#channels.set(name, channel);
    if (this.#isHeard(channel)) return null;
    const node = this.#nodes.ownerOf(channel.slot);
    const connection = this.#connectionFor(channel);
    if (node === null || !connection || !(await this.#isMade(connection))) return null;
    const epoch = connection.connectionEpoch;
    try {
      await connection.subscribe([name]);
    } catch (error) {
      const redirect = redirectOf(error);
      if (redirect) this.#nodes.redirected(redirect, node);
      return error as RedisFailure;
    }
    // A connection that was lost meanwhile has lost the channel with it.
    if (connection.connectionEpoch === epoch) channel.subscribed = { to: connection, epoch };
    return null;
  }

  /** Waits for a connection that is made for the first time; one to a node that is away is not waited for. */
  async #isMade(connection: ServerConnection): Promise<boolean> {
    const making = this.#making.get(connection) ?? this.#whenMade(connection);
    this.#making.set(connection, making);
    await making;
    return connection.isReady;
  }

  async #whenMade(connection: ServerConnection): Promise<void> {
    await this.#nodes.when(() => connection.isReady || connection.lastError !== null, COMMAND_TIMEOUT_MS, this.#closing.signal);
    this.#making.delete(connection);
  }

  #connectionFor({ slot }: Channel): ServerConnection | null {
    const node = this.#nodes.ownerOf(slot);
    return node === null || this.isClosed || this.#nodes.isClosed ? null : this.#nodes.at(node, this.#purpose, 'listening');
  }

  /** Whether it was subscribed to on the node that has its slot, over the connection that is still there. */
  #isHeard(channel: Channel | undefined): boolean {
    if (!channel?.subscribed) return false;
    const { to, epoch } = channel.subscribed;
    return to === this.#connectionFor(channel) && to.connectionEpoch === epoch;
  }

  #look(): void {
    this.#lose((channel) => channel.subscribed !== null && !this.#isHeard(channel));
    const { isReady } = this;
    if (isReady && (!this.#wasReady || this.#mayHearMore)) this.#watcher?.ready();
    this.#wasReady = isReady;
  }

  get #mayHearMore(): boolean {
    const missed = [...this.#channels.values()].filter(({ subscribed }) => subscribed === null);
    return missed.some((channel) => this.#connectionFor(channel)?.isReady);
  }

  #lose(isLost: (channel: Channel) => boolean): void {
    const lost = [...this.#channels].filter(([, channel]) => isLost(channel));
    if (lost.length === 0) return;
    this.#epoch += 1;
    for (const [, channel] of lost) channel.subscribed = null;
    this.#closeUnneeded();
    this.#watcher?.lost(lost.map(([name]) => name));
  }

  #closeUnneeded(): void {
    const needed = new Set([...this.#channels.values()].flatMap(({ slot }) => this.#nodes.ownerOf(slot) ?? []));
    if (needed.size > 0) this.#nodes.closeAllBut([...needed], this.#purpose);
  }

  #refusal(what: string): MillraceError {
    return new MillraceError('INVALID_INPUT', `${this.name} takes no ${what}: it listens to channels and does nothing else.`);
  }
}

/** Whether it may be heard at another try, as when its node is away or its slot has moved. */
function isPassing({ kind }: RedisFailure): boolean {
  return kind === 'unsent' || kind === 'indeterminate' || kind === 'unavailable';
}
