import { setTimeout as wait } from 'node:timers/promises';
import { asError, emit, errorRecord, Loop, MillraceError, spread } from '@millrace/core';
import { type MakeConnection, toNode } from '../connection/open-connection.js';
import type { Profile } from '../connection/profiles.js';
import { RedisFailure } from '../connection/redis-failure.js';
import type { Redirect } from '../connection/redis-failure.js';
import { addressIn, nodeNameOf } from '../connection/redis-address.js';
import type { ClusterTarget } from '../connection/redis-target.js';
import type { ServerConnection } from '../connection/server-connection.js';
import { withDeadline } from '../server/deadline.js';
import { areOfOneCluster, isSameMap, NO_SLOTS, nodeIn, type SlotMap, slotMapOf } from './slot-map.js';

/** How often a node is asked who has which slot, and how soon after that again when something has failed. */
const LOOK_EVERY_MS = 1_000;
const LOOK_AGAIN_MS = 100;
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
  /** Nodes that told of the slots of another Cluster, when they were asked last. */
  readonly #strangers = new Set<string>();
  /** Nodes without slots -> since when, by the monotonic clock in milliseconds. */
  readonly #unused = new Map<string, number>();
  #slots: SlotMap = NO_SLOTS;
  /** When a node was asked last, by the monotonic clock in milliseconds. */
  #lookedAtMs = Number.NEGATIVE_INFINITY;
  #turn = 0;
  #isClosed = false;

  constructor(parts: ClusterNodesParts) {
    this.#parts = parts;
    this.#loop = new Loop({
      name: 'slots',
      round: (signal) => this.#round(signal),
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

  /**
   * Takes in that a node has sent a command elsewhere, and looks at all slots anew.
   *
   * @returns the name of the other node; null when the redirect does not tell, and the look is to be waited for
   */
  redirected({ kind, slot, address }: Redirect, speaker: string): string | null {
    const node = nodeIn(address, speaker, this.#slots);
    if (node === null) this.look();
    else if (kind === 'moved' && this.ownerOf(slot) !== node) {
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
    return toNode(natMap[node] ?? addressIn(node), login, node);
  }

  async #round(signal: AbortSignal): Promise<number> {
    await this.#pause(signal);
    const asked = this.#nextToAsk();
    if (!asked) return this.#reachOut();
    const believed = this.slotsBy(asked).then((told) => this.#believed(told, asked));
    const slots = await believed.catch((error: unknown) => this.#refused(asked, error));
    this.#refusals.delete(asked);
    if (this.#slots.primaries.size === 0) await this.#meetPrimaries(slots, signal);
    this.#adopt(isSameMap(slots, this.#slots) ? slots : await this.#byMost(slots, asked));
    this.#closeUnused();
    return spread(LOOK_EVERY_MS);
  }

  /** Many commands and connections may fail at once, and each asks for a look. */
  async #pause(signal: AbortSignal): Promise<void> {
    const pauseMs = this.#lookedAtMs + LOOK_AGAIN_MS - performance.now();
    if (pauseMs > 0 && this.#slots.primaries.size > 0) await wait(pauseMs, undefined, { signal });
    this.#lookedAtMs = performance.now();
  }

  /**
   * Before anything is known, one node alone can be asked: those that it names are connected to, so that they can be asked, too.
   * One that does not answer is not waited for longer than usual.
   */
  async #meetPrimaries({ primaries }: SlotMap, signal: AbortSignal): Promise<void> {
    const controls = [...primaries].map((node) => this.at(node, 'control', 'control'));
    await this.when(() => controls.every(({ isReady }) => isReady), ANSWER_MS, signal);
  }

  /**
   * A primary that was replaced, and is cut off from the other nodes alone, goes by the slots that it had. So what one node tells
   * anew is asked of all, and what most of them tell is believed; when no more tell one thing, it is the first.
   */
  async #byMost(first: SlotMap, speaker: string): Promise<SlotMap> {
    const others = this.#askable.filter((node) => node !== speaker);
    const told = [first];
    const supporters = (map: SlotMap): number => told.filter((other) => isSameMap(map, other)).length;
    await new Promise<void>((enough) => {
      const hear = (map: SlotMap): void => {
        told.push(map);
        if (supporters(map) > (others.length + 1) / 2) enough();
      };
      void Promise.allSettled(others.map((node) => this.slotsBy(node).then(hear))).then(() => enough());
    });
    return told.reduce((best, map) => (supporters(map) > supporters(best) ? map : best));
  }

  /** Which node has which slot, by the words of this one. @throws RedisFailure */
  async slotsBy(node: string): Promise<SlotMap> {
    return slotMapOf(await this.#ask(node, 'SLOTS'), node);
  }

  /**
   * The nodes with slots that refuse to serve them: one is cut off from most others, or misses a node for a slot where each slot
   * must have one. A node that does not tell counts as one that serves.
   */
  async down(): Promise<string[]> {
    const primaries = [...this.#slots.primaries];
    const states = await Promise.all(primaries.map((node) => this.#ask(node, 'INFO').catch(() => '')));
    return primaries.filter((_, index) => String(states[index]).includes('cluster_state:fail'));
  }

  async #ask(node: string, subcommand: 'SLOTS' | 'INFO'): Promise<unknown> {
    const tooLate = (): Error => new RedisFailure('indeterminate', `The node ${node} did not answer CLUSTER ${subcommand} in time.`, undefined);
    return withDeadline(this.at(node, 'control', 'control').call('CLUSTER', subcommand), ANSWER_MS, tooLate);
  }

  /**
   * Another Cluster may have a node at an address that was of this one. When nobody else answers, the Cluster was made anew.
   *
   * @throws RedisFailure
   */
  #believed(told: SlotMap, node: string): SlotMap {
    if (areOfOneCluster(told, this.#slots)) this.#strangers.delete(node);
    else if (this.#strangers.add(node) && this.#askable.every((each) => this.#strangers.has(each))) this.#strangers.clear();
    else throw new RedisFailure('unavailable', `The node ${node} belongs to another Cluster than the others.`, undefined);
    return told;
  }

  #refused(node: string, thrown: unknown): never {
    const error = asError(thrown);
    this.#refusals.set(node, error);
    throw error;
  }

  /** The nodes that can be asked: those of the Cluster, as long as any of them can. */
  get #askable(): string[] {
    const ready = [...this.#shared].filter(([, byPurpose]) => byPurpose.get('control')?.isReady).map(([node]) => node);
    const members = ready.filter((node) => this.has(node));
    return members.length > 0 ? members : ready;
  }

  /** Nodes are asked in turn: one that is cut off from the others must not be believed for long. */
  #nextToAsk(): string | undefined {
    const askable = this.#askable;
    this.#turn += 1;
    return askable[this.#turn % askable.length];
  }

  /** Connects to everything that may know: the nodes that are named by the user, and all that any node ever told of. */
  #reachOut(): number {
    const nodes = [...this.named, ...this.#slots.primaries, ...this.#slots.replicas];
    const areNew = nodes.some((node) => !this.#shared.has(node));
    for (const node of nodes) this.at(node, 'control', 'control');
    const silent = this.problems().map(({ node }) => node).join(', ');
    // The first attempts have not ended yet.
    if (areNew || silent === '') return SOON_MS;
    throw new RedisFailure('unsent', `No node of the Cluster can be asked who has which slot (${silent}).`, undefined);
  }

  /** Whether a node has slots, or follows one that has, as far as is known. */
  has(node: string): boolean {
    return this.#slots.primaries.has(node) || this.#slots.replicas.has(node);
  }

  /** The nodes that the user named. */
  get named(): string[] {
    return this.#parts.target.cluster.nodes.map(nodeNameOf);
  }

  /** The nodes with slots that do not have their shared connections. */
  get unready(): string[] {
    return [...this.#slots.primaries].filter((node) => !SHARED.every((purpose) => this.at(node, purpose, purpose).isReady));
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
    const left = [...this.#slots.primaries].filter((node) => !slots.primaries.has(node));
    this.#slots = slots;
    for (const node of left) emit('slots-gone', { node });
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
    this.#strangers.delete(node);
    this.#shared.delete(node);
    for (const connection of connections.values()) connection.close();
  }
}
