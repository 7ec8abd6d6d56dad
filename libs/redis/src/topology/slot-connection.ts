import { setTimeout } from 'node:timers/promises';
import { MillraceError } from '@millrace/core';
import { COMMAND_TIMEOUT_MS, type Profile } from '../connection/profiles.js';
import type { Command, Commands, ConnectionWatcher, Outcome, RedisConnection } from '../connection/redis-connection.js';
import type { RedisArgument } from '../connection/redis-driver.js';
import { isBetweenNodes, isDown, isUnblocked, RedisFailure, redirectOf } from '../connection/redis-failure.js';
import type { ServerConnection } from '../connection/server-connection.js';
import type { RunnableScript } from '../script/script.js';
import type { ClusterNodes } from './cluster-nodes.js';

/** A command that nodes refuse is sent again for so long. No node executes a command that it refuses. */
const PATIENCE_MS = COMMAND_TIMEOUT_MS;
/**
 * A command is sent again after this time when its keys are between two nodes, or two nodes each call the other the owner; and
 * after twice as long each time more.
 */
const PAUSE_MS = 10;
const LONGEST_PAUSE_MS = 160;

export interface SlotConnectionParts {
  readonly nodes: ClusterNodes;
  readonly slot: number;
  /** Connections to a node are made for each purpose. */
  readonly purpose: string;
  readonly profile: Profile;
  /** Whether no other slot uses connections with this purpose. */
  readonly isOwn: boolean;
}

/**
 * The way to the node that has a slot, whichever that is. A command that a node refuses since the slot is, or goes, elsewhere is
 * sent to the other node; a command that may have been executed is not.
 */
export class SlotConnection implements RedisConnection {
  readonly name: string;
  readonly #parts: SlotConnectionParts;
  #epoch = 0;
  /** The connection at the last look, and its epoch then. */
  #seen: { readonly connection: ServerConnection | null; readonly epoch: number };
  #stopWatching: (() => void) | null = null;
  /** Commands under way. */
  #underWay = 0;
  #isClosed = false;

  constructor(parts: SlotConnectionParts) {
    this.#parts = parts;
    this.name = `${parts.purpose}@slot-${parts.slot}`;
    const connection = this.#connection;
    this.#seen = { connection, epoch: connection?.connectionEpoch ?? 0 };
  }

  get isReady(): boolean {
    return !this.#isClosed && (this.#connection?.isReady ?? false);
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get lastError(): Error | null {
    return this.#connection?.lastError ?? null;
  }

  /** Grows also when the slot goes to another node. */
  get connectionEpoch(): number {
    const connection = this.#connection;
    const epoch = connection?.connectionEpoch ?? 0;
    if (connection === this.#seen.connection && epoch === this.#seen.epoch) return this.#epoch;
    this.#seen = { connection, epoch };
    this.#epoch += 1;
    return this.#epoch;
  }

  call(command: string, ...args: RedisArgument[]): Promise<unknown> {
    return this.#send(command, (to) => to.call(command, ...args));
  }

  run(script: RunnableScript, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown> {
    return this.#send(script.name, (to) => to.run(script, keys, args));
  }

  /** Where the first is refused, the second was sent in vain: both go to the other node. */
  async callBoth(first: Command, second: Command): Promise<[Outcome, Outcome]> {
    try {
      return await this.#send(first[0], async (to) => {
        const outcomes = await to.callBoth(first, second);
        if (outcomes[0].status === 'rejected') throw outcomes[0].reason;
        return outcomes;
      });
    } catch (reason) {
      return [{ status: 'rejected', reason }, { status: 'rejected', reason }];
    }
  }

  watch({ ready, lost }: ConnectionWatcher): void {
    this.#stopWatching?.();
    let [wasReady, epoch] = [this.isReady, this.connectionEpoch];
    this.#stopWatching = this.#parts.nodes.onChange(() => {
      const [isReady, epochNow] = [this.isReady, this.connectionEpoch];
      const isAnother = epochNow !== epoch;
      if (isAnother) {
        this.#leaveOthers();
        lost();
      }
      if (isReady && (isAnother || !wasReady)) ready();
      [wasReady, epoch] = [isReady, epochNow];
    });
  }

  subscribe(): Promise<never> {
    return Promise.reject(takesNoSubscriptions(this.name));
  }

  unsubscribe(): Promise<void> {
    return Promise.reject(takesNoSubscriptions(this.name));
  }

  whenReady(timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    return this.#parts.nodes.when(() => this.isReady, timeoutMs, signal);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#stopWatching?.();
    this.#keep([]);
  }

  /** The connection to the node that has the slot; null when no node is known to have it. */
  get #connection(): ServerConnection | null {
    const { nodes, slot } = this.#parts;
    const node = nodes.ownerOf(slot);
    return node === null || this.#isClosed || nodes.isClosed ? null : this.#to(node);
  }

  #to(node: string): ServerConnection {
    const { nodes, purpose, profile } = this.#parts;
    return nodes.at(node, purpose, profile);
  }

  /** The slot has gone to another node: what it left is not needed any more, unless an answer is due there. */
  #leaveOthers(): void {
    const owner = this.#parts.nodes.ownerOf(this.#parts.slot);
    if (owner !== null && this.#underWay === 0) this.#keep([owner]);
  }

  /** Connections of its own to other nodes are not needed any more. */
  #keep(needed: readonly string[]): void {
    const { nodes, purpose, isOwn } = this.#parts;
    if (isOwn) nodes.closeAllBut(needed, purpose);
  }

  async #send<T>(what: string, send: (to: Commands) => Promise<T>): Promise<T> {
    const { nodes, slot } = this.#parts;
    const owner = nodes.ownerOf(slot);
    if (owner === null || this.#isClosed || nodes.isClosed) throw this.#unsent(what);
    this.#underWay += 1;
    try {
      return await send(this.#to(owner));
    } catch (error) {
      return await this.#sendAgain(what, send, { refusal: error, by: owner, times: 1 });
    } finally {
      this.#underWay -= 1;
      if (nodes.ownerOf(slot) !== owner) this.#leaveOthers();
    }
  }

  /** Goes where each refusal leads, until a node takes the command or the patience ends. */
  async #sendAgain<T>(what: string, send: (to: Commands) => Promise<T>, refused: Refused): Promise<T> {
    const end = performance.now() + PATIENCE_MS;
    let last = refused;
    for (;;) {
      const next = await this.#next(last);
      const isLate = performance.now() >= end || this.#isClosed || this.#parts.nodes.isClosed;
      if (!next || isLate) throw named(this.#shown(last.refusal), last.by);
      const connection = this.#to(next.node);
      // A node that was just found may have no connection yet.
      if (!(await connection.whenReady(Math.max(0, end - performance.now())))) throw this.#unsent(what);
      try {
        return await send(next.isAsking ? connection.asking : connection);
      } catch (error) {
        last = { refusal: error, by: next.node, times: last.times + 1 };
      }
    }
  }

  /** Where to send a refused command; null when it was not refused for its slot. */
  async #next({ refusal, by, times }: Refused): Promise<Destination | null> {
    const { nodes, slot } = this.#parts;
    const redirect = redirectOf(refusal);
    const node = redirect && nodes.redirected(redirect, by);
    if (redirect && node) {
      if (times > 1) await setTimeout(pauseMs(times - 1));
      this.#keep([nodes.ownerOf(slot) ?? node, node]);
      return { node, isAsking: redirect.kind === 'ask' };
    }
    if (!redirect && !isBetweenNodes(refusal)) return null;
    nodes.look();
    await setTimeout(pauseMs(times));
    return { node: nodes.ownerOf(slot) ?? by, isAsking: false };
  }

  /** A read that was ended inside Redis lost nothing: the next one finds out whether the slot has moved or the key is gone. */
  #shown(refusal: unknown): unknown {
    if (isUnblocked(refusal) || isDown(refusal)) this.#parts.nodes.look();
    if (!isUnblocked(refusal)) return refusal;
    return new RedisFailure('unavailable', (refusal as RedisFailure).message, (refusal as RedisFailure).cause);
  }

  #unsent(what: string): RedisFailure {
    const { lastError } = this;
    const why = this.#isClosed ? 'it is closed' : (lastError?.message ?? 'it is being made');
    const message = `${what} failed: there is no connection to the node of slot ${this.#parts.slot} at the moment (${why}).`;
    return new RedisFailure('unsent', message, lastError ?? undefined);
  }
}

interface Refused {
  readonly refusal: unknown;
  /** The node. */
  readonly by: string;
  /** How often the command was refused. */
  readonly times: number;
}

/** The failure of a node that does not answer tells which one that is. */
function named(refusal: unknown, node: string): unknown {
  if (!(refusal instanceof RedisFailure) || (refusal.kind !== 'unsent' && refusal.kind !== 'indeterminate')) return refusal;
  return new RedisFailure(refusal.kind, `${refusal.message} The node is ${node}.`, refusal.cause);
}

function pauseMs(times: number): number {
  return Math.min(PAUSE_MS * 2 ** (times - 1), LONGEST_PAUSE_MS);
}

interface Destination {
  readonly node: string;
  /** Whether the node does not have the slot yet, but the keys of the command. */
  readonly isAsking: boolean;
}

function takesNoSubscriptions(name: string): MillraceError {
  return new MillraceError('INVALID_INPUT', `${name} takes no subscriptions: a connection that listens does.`);
}
