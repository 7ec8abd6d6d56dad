import { asError, emit, errorRecord, Loop, MillraceError, spread } from '@millrace/core';
import { type MakeConnection, toNode } from '../connection/open-connection.js';
import type { Profile } from '../connection/profiles.js';
import { RedisFailure } from '../connection/redis-failure.js';
import type { Redirect } from '../connection/redis-failure.js';
import { addressIn, nodeNameOf } from '../connection/redis-address.js';
import type { ClusterTarget } from '../connection/redis-target.js';
import type { ServerConnection } from '../connection/server-connection.js';
import { withDeadline } from '../server/deadline.js';
import { isSameMap, nameIn, NO_SLOTS, type SlotMap, slotMapOf } from './slot-map.js';

/** How often a node is asked who has which slot. */
const LOOK_EVERY_MS = 1_000;
/** A node that stands still is not waited for longer than this: another one is asked. */
const ANSWER_MS = 500;
/** How long a node that was just found may take to connect until it is asked. */
const SOON_MS = 20;
/** A node that has no slots any more keeps its connections for so long: longer than any command on them may take. */
const KEEP_MS = 5_000;
/** Purposes for which each primary has a connection from the start. */
const SHARED: readonly Profile[] = ['publish', 'control'];

export interface ClusterNodesParts {
  readonly target: ClusterTarget;
  /** The first part of the names of the connections. */
  readonly name: string;
}

export interface NodeProblem {
  readonly node: string;
  readonly error: Error;
}

type Hearer = (channel: string, text: string) => void;

/**
 * The nodes of a Redis Cluster: who has which slot, and the connections of this process to each. Connections are made by node
 * and purpose, and shared by all slots of the node.
 */
export class ClusterNodes {
  readonly #parts: ClusterNodesParts;
  readonly #loop: Loop;
  /** By node and purpose. */
  readonly #shared = new Map<string, Map<string, ServerConnection>>();
  readonly #listeners = new Set<() => void>();
  /** By purpose, who gets the messages that come on its connections. */
  readonly #hearers = new Map<string, Hearer>();
  /** Nodes that did not say who has which slot, when they were asked last. */
  readonly #refusals = new Map<string, Error>();
  /** Nodes without slots -> since when, by the monotonic clock in milliseconds. */
  readonly #unused = new Map<string, number>();
  #slots: SlotMap = NO_SLOTS;
  #turn = 0;
  #isClosed = false;

  constructor(parts: ClusterNodesParts) {
    this.#parts = parts;
    this.#loop = new Loop({
      name: 'slots',
      round: () => this.#round(),
      onError: (error, failures) => emit('loop-failed', { loop: 'slots', error: errorRecord(error), failures }),
    });
  }

  /** Begins to look who has which slot; {@link onChange} tells of each change. */
  start(): void {
    this.#loop.start();
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get slots(): SlotMap {
    return this.#slots;
  }

  /** The name of the node that has a slot; null when none is known. */
  ownerOf(slot: number): string | null {
    return this.#slots.owners[slot] ?? null;
  }

  /**
   * The connection of this process to a node for a purpose. It is made when it is first asked for.
   *
   * @throws MillraceError CLOSED
   */
  at(node: string, purpose: string, profile: Profile): ServerConnection {
    const byPurpose = this.#shared.get(node) ?? new Map<string, ServerConnection>();
    this.#shared.set(node, byPurpose);
    const connection = byPurpose.get(purpose) ?? this.#opened(node, purpose, profile);
    byPurpose.set(purpose, connection);
    return connection;
  }

  /** Takes in that a node has sent a command elsewhere, and looks at all slots anew. @returns the name of the other node */
  redirected({ kind, slot, address }: Redirect, speaker: string): string {
    const node = nameIn(address, speaker);
    if (kind === 'moved' && this.ownerOf(slot) !== node) {
      const owners = [...this.#slots.owners];
      owners[slot] = node;
      this.#adopt({ ...this.#slots, owners, primaries: new Set([...this.#slots.primaries, node]) });
      this.#loop.wake();
    }
    return node;
  }

  /** A slot may have gone to another node. */
  look(): void {
    this.#loop.wake();
  }

  /**
   * Calls the listener when a slot has gone to another node, and when a shared connection is ready or lost.
   *
   * @returns ends it
   */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  /** From now on this one gets the messages of channels that come on the connections for a purpose. */
  hear(purpose: string, hearer: Hearer): void {
    this.#hearers.set(purpose, hearer);
  }

  /** Resolves true when the condition holds after such a change, false when the signal aborted or the time passed before. */
  async when(condition: () => boolean, timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    if (condition() || signal?.aborted) return condition();
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        stopListening();
        signal?.removeEventListener('abort', done);
        resolve(condition());
      };
      const timer = setTimeout(done, timeoutMs);
      const stopListening = this.onChange(() => condition() && done());
      signal?.addEventListener('abort', done);
    });
  }

  /** Closes the connections for a purpose to all nodes but these. */
  closeAllBut(nodes: readonly string[], purpose: string): void {
    for (const [node, byPurpose] of this.#shared) {
      if (nodes.includes(node)) continue;
      byPurpose.get(purpose)?.close();
      byPurpose.delete(purpose);
    }
    if (nodes.length === 0) this.#hearers.delete(purpose);
  }

  close(): void {
    this.#isClosed = true;
    // Its present round ends with the connections.
    void this.#loop.stop();
    for (const byPurpose of this.#shared.values()) for (const connection of byPurpose.values()) connection.close();
  }

  #opened(node: string, purpose: string, profile: Profile): ServerConnection {
    if (this.#isClosed) throw new MillraceError('CLOSED', `No connection for ${purpose} is made any more: those to Redis are closed.`);
    const connection = this.#connectionsTo(node)(`${this.#parts.name}:${purpose}@${node}`, profile);
    const message: Hearer = (channel, text) => this.#hearers.get(purpose)?.(channel, text);
    connection.watch({ ready: () => this.#notify(), lost: () => this.#lost(), message });
    connection.connect();
    return connection;
  }

  #lost(): void {
    this.look();
    this.#notify();
  }

  #notify(): void {
    for (const listener of [...this.#listeners]) listener();
  }

  #connectionsTo(node: string): MakeConnection {
    const { cluster: { natMap = {} }, ...login } = this.#parts.target;
    return toNode(natMap[node] ?? addressIn(node), login);
  }

  async #round(): Promise<number> {
    const asked = this.#nextToAsk();
    if (!asked) return this.#reachOut();
    const tooLate = (): Error => new RedisFailure('indeterminate', `The node ${asked} did not say in time who has which slot.`, undefined);
    const asking = this.at(asked, 'control', 'control').call('CLUSTER', 'SLOTS').then((reply) => slotMapOf(reply, asked));
    const slots = await withDeadline(asking, ANSWER_MS, tooLate).catch((error: unknown) => this.#refused(asked, error));
    this.#refusals.delete(asked);
    this.#adopt(slots);
    this.#closeUnused();
    return spread(LOOK_EVERY_MS);
  }

  #refused(node: string, thrown: unknown): never {
    const error = asError(thrown);
    this.#refusals.set(node, error);
    throw error;
  }

  /** Nodes are asked in turn: one that is cut off from the others must not be believed for long. */
  #nextToAsk(): string | undefined {
    const ready = [...this.#shared].filter(([, byPurpose]) => byPurpose.get('control')?.isReady).map(([node]) => node);
    this.#turn += 1;
    return ready[this.#turn % ready.length];
  }

  /** Connects to everything that may know: the nodes that are named by the user, and all that any node ever told of. */
  #reachOut(): number {
    const named = this.#parts.target.cluster.nodes.map(nodeNameOf);
    const nodes = [...named, ...this.#slots.primaries, ...this.#slots.replicas];
    const areNew = nodes.some((node) => !this.#shared.has(node));
    for (const node of nodes) this.at(node, 'control', 'control');
    if (areNew) return SOON_MS;
    const silent = this.problems().map(({ node }) => node).join(', ');
    throw new RedisFailure('unsent', `No node of the Cluster can be asked who has which slot (${silent}).`, undefined);
  }

  /** Whether each node with slots has its shared connections. */
  get areReady(): boolean {
    return [...this.#slots.primaries].every((node) => SHARED.every((purpose) => this.at(node, purpose, purpose).isReady));
  }

  /** Nodes that could not be reached, or did not say who has which slot, each with the last error. */
  problems(): NodeProblem[] {
    return [...this.#shared].flatMap(([node, byPurpose]) => {
      const broken = [...byPurpose.values()].find(({ isReady, lastError }) => !isReady && lastError !== null);
      const error = broken?.lastError ?? this.#refusals.get(node);
      return error ? [{ node, error }] : [];
    });
  }

  #adopt(slots: SlotMap): void {
    const isSame = isSameMap(slots, this.#slots);
    this.#slots = slots;
    for (const node of slots.primaries) for (const purpose of SHARED) this.at(node, purpose, purpose);
    if (!isSame) this.#notify();
  }

  #closeUnused(): void {
    const nowMs = performance.now();
    for (const [node, byPurpose] of this.#shared) {
      if (this.#slots.primaries.has(node)) this.#unused.delete(node);
      else if (nowMs - (this.#unused.get(node) ?? nowMs) < KEEP_MS) this.#unused.set(node, this.#unused.get(node) ?? nowMs);
      else this.#forget(node, byPurpose);
    }
  }

  #forget(node: string, connections: ReadonlyMap<string, ServerConnection>): void {
    this.#unused.delete(node);
    this.#refusals.delete(node);
    this.#shared.delete(node);
    for (const connection of connections.values()) connection.close();
  }
}
