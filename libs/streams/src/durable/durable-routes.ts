import { asError, type Durability, messageOf } from '@millrace/core';
import { type Outcome, type RedisConnection, RedisFailure, type RunnableScript, type Topology } from '@millrace/redis';
import { type Confirmation, FsyncConfirmation, ReplicaConfirmation, type Stored, Unconfirmed } from './confirmation.js';

/** The way of writes of one durability to Redis. */
export interface DurableRoute {
  readonly redis: RedisConnection;
  /** Null: an answer of Redis is enough. */
  readonly confirmation: Confirmation | null;
}

/** How long a connection that is being made is waited for. */
const MAKING_MS = 1_000;

type Confirmed = Exclude<Durability, 'server'>;

/** One route a durability level and server. Waiting for a confirmation blocks a connection, so each level has its own. */
export class DurableRoutes {
  readonly #redis: Topology;
  readonly #purpose: string;
  readonly #stored: Stored;
  /** Those that need a confirmation, by the connection. */
  readonly #confirmed = new Map<RedisConnection, DurableRoute>();

  /**
   * @param purpose of the connections that wait: `publish`
   * @param stored names what is written in errors
   */
  constructor(redis: Topology, { purpose, stored }: { readonly purpose: string; readonly stored: Stored }) {
    this.#redis = redis;
    this.#purpose = purpose;
    this.#stored = stored;
  }

  /**
   * The route to the server that has a key.
   *
   * @throws MillraceError CLOSED
   */
  to(key: string, durability: Durability): DurableRoute {
    if (durability === 'server') return { redis: this.#redis.publishFor(key), confirmation: null };
    const redis = this.#redis.waitingFor(key, `${this.#purpose}:${nameOf(durability)}`);
    const route = this.#confirmed.get(redis) ?? { redis, confirmation: this.#confirmationOf(durability) };
    this.#confirmed.set(redis, route);
    return route;
  }

  #confirmationOf(durability: Confirmed): Confirmation {
    if (durability.kind === 'replicated') return new ReplicaConfirmation(durability, this.#stored);
    return new FsyncConfirmation(durability.timeoutMs, this.#stored, this.#redis.server);
  }
}

export interface DurableCall {
  readonly keys: readonly string[];
  readonly args: readonly (string | number)[];
}

export interface DurableRun {
  readonly reply: unknown;
  /** Why the durability is not confirmed: {@link Unconfirmed}, or a RedisFailure when the answer was lost; null when it is. */
  readonly shortfall: Error | null;
}

/**
 * Runs a script, and asks for the confirmation of its writes.
 *
 * @throws RedisFailure, MillraceError the script failed, or was not sent
 */
export async function runDurably(route: DurableRoute, script: RunnableScript, { keys, args }: DurableCall): Promise<DurableRun> {
  const { redis, confirmation } = route;
  await confirmation?.check(redis);
  if (!confirmation?.command) {
    const reply = await redis.run(script, keys, args);
    return { reply, shortfall: confirmation && (await shortfallOfServer(route, confirmation)) };
  }
  // Right behind the script, on the same connection: a new connection would confirm nothing. The script goes by its text: an
  // unknown one would be sent again, behind the confirmation.
  const [reply, asked] = await redis.callBoth(['EVAL', script.source, keys.length, ...keys, ...args], confirmation.command);
  if (reply.status === 'rejected') throw reply.reason;
  return { reply: reply.value, shortfall: shortfallIn(confirmation, asked) };
}

/**
 * As {@link runDurably}, for a call that may be repeated: a repetition finds the writes, and asks again.
 *
 * @returns the reply of the script
 * @throws RedisFailure `unconfirmed` when the writes are not confirmed
 */
export async function runConfirmed(route: DurableRoute, script: RunnableScript, call: DurableCall): Promise<unknown> {
  const { redis } = route;
  // A connection is made when it is first asked for: that it is not there yet is no failure.
  if (!redis.isReady && !redis.isClosed && redis.lastError === null) await redis.whenReady(MAKING_MS);
  const { reply, shortfall } = await runDurably(route, script, call);
  if (shortfall instanceof Unconfirmed) throw new RedisFailure('unconfirmed', shortfall.message, shortfall);
  if (shortfall) throw shortfall;
  return reply;
}

/** The slot may have gone to a server that was not asked before, as a node of a Cluster: nothing else tells of its answer. */
async function shortfallOfServer({ redis }: DurableRoute, confirmation: Confirmation): Promise<Error | null> {
  try {
    await confirmation.check(redis);
    return null;
  } catch (thrown) {
    return new Unconfirmed(`It is stored, by a server that was not asked before: ${messageOf(asError(thrown))}`, { cause: thrown });
  }
}

function shortfallIn(confirmation: Confirmation, asked: Outcome): Error | null {
  try {
    confirmation.assertConfirmed(asked);
    return null;
  } catch (thrown) {
    return thrown as Error;
  }
}

/** Levels with the same name are the same. */
export function nameOf(durability: Durability): string {
  if (durability === 'server') return 'server';
  const { kind, timeoutMs } = durability;
  return kind === 'replicated' ? `${kind}-${durability.replicas}-${timeoutMs}ms` : `${kind}-${timeoutMs}ms`;
}
