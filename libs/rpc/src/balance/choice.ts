import { RpcNoInstanceError } from '../errors.js';
import type { Candidate } from './candidate.js';
import { circuitOpen } from './circuit.js';
import { directed } from './directed.js';
import type { InstanceCircuits } from './instance-circuits.js';
import type { Outbound } from './outbound.js';
import type { Pool } from './pool.js';
import type { Router } from './router.js';

/** How often another instance is drawn before those that take the call are looked for one by one. */
const MOST_DRAWS = 3;

export interface ChoiceParts {
  readonly router: Router;
  readonly isStrict: boolean;
  /** Null: calls are made whatever became of those before. */
  readonly circuits: InstanceCircuits | null;
}

/** Chooses the instance of each attempt. */
export class Choice {
  readonly #parts: ChoiceParts;

  constructor(parts: ChoiceParts) {
    this.#parts = parts;
  }

  /**
   * Sets the target of the attempt, and the call that goes there: to the instance that the caller named, else to one that the
   * strategy chooses, else to whichever is free.
   *
   * @throws RpcNoInstanceError the route is strict, and no instance is left
   * @throws RpcCircuitOpenError the circuits of all instances are open
   */
  choose(outbound: Outbound): void {
    const { call } = outbound;
    const { named } = outbound;
    const target = named === undefined ? this.#targetOf(outbound) : outbound.pool!.candidates.of(named);
    const { version } = outbound.pool!;
    outbound.target = target;
    const instance = named ?? target?.member;
    if (call.instance !== instance || call.version !== version) outbound.call = directed(call, version, instance);
  }

  #targetOf(outbound: Outbound): Candidate | null {
    const { router, isStrict } = this.#parts;
    const pool = outbound.pool!;
    const others = pool.isWhole || isStrict ? [] : [router.otherThan(pool), router.rest];
    for (const next of [pool, ...others]) {
      // Another version has another ledger: a request that may have run would be unknown there, and run again.
      if (outbound.doubt !== null && next.version !== pool.version) continue;
      outbound.pool = next;
      if (isPulled(next, outbound)) return null;
      const chosen = next.list.length === 0 ? null : this.#chosenOf(next, outbound);
      if (chosen !== null) return chosen;
    }
    return this.#noneOf(outbound.pool!, outbound);
  }

  /** No instance takes the call now: any may that is not known here, unless the route is strict. */
  #noneOf(pool: Pool, outbound: Outbound): null {
    if (pool.list.some((candidate) => !outbound.tried?.has(candidate))) throw this.#allOpen(pool.list, outbound);
    if (pool.isWhole) return null;
    throw noneLeft(pool, outbound);
  }

  #chosenOf({ list, strategy }: Pool, outbound: Outbound): Candidate | null {
    const { tried } = outbound;
    const { circuits } = this.#parts;
    const { key } = outbound.call;
    const takes = (candidate: Candidate): boolean =>
      !tried?.has(candidate) && (circuits === null || circuits.closedUntilMs(candidate) === 0);
    for (let draws = 0; draws < MOST_DRAWS; draws += 1) {
      const drawn = strategy!.choose(list, key);
      if ((tried === null && circuits === null) || takes(drawn)) return drawn;
    }
    const left = list.filter(takes);
    return left.length === 0 ? null : strategy!.choose(left, key);
  }

  #allOpen(list: readonly Candidate[], { call, pool }: Outbound): Error {
    const { service } = call;
    const times = list.map((candidate) => this.#parts.circuits?.closedUntilMs(candidate) ?? 0);
    const until = times.filter((atMs) => atMs > 0 && atMs < Number.POSITIVE_INFINITY);
    const retryAtMs = until.length === 0 ? Date.now() : Math.min(...until);
    return circuitOpen({ service, version: pool!.version, instance: null }, retryAtMs);
  }
}

/** Nobody would learn that the instance has gone with a request which nobody waits for: any instance takes that one. */
function isPulled({ strategy, isWhole }: Pool, { call }: Outbound): boolean {
  return strategy === null || (call.oneWay === true && isWhole);
}

function noneLeft({ label, version }: Pool, { tried, call }: Outbound): RpcNoInstanceError {
  const which = tried === null ? 'no instance' : 'no other instance';
  const what = `The call of '${call.method}' of service '${call.service}' was not sent`;
  return new RpcNoInstanceError(
    `${what}: ${which}${label} in version '${version}' is running, and its routes are strict. Start one, or call again later.`,
  );
}
