import type { Balancer } from './balancer.js';
import type { ClientRules, RouteRule } from './client-rules.js';
import { fractionOf, hashOf, mixed } from './hash.js';
import { Pool } from './pool.js';
import { strategyOf } from './strategy.js';

/** A key that decides about a route decides about the instance, too: its lots are others there. */
const ROUTE_SALT = 0x5b_d1_e9_95;

/** Decides which instances a call may go to. */
export class Router {
  /** Any instance of the contract's version. */
  readonly rest: Pool;
  readonly #pools: readonly Pool[];
  /** The shares up to each route, as a part of all. */
  readonly #bounds: readonly number[];
  readonly #isStrict: boolean;
  readonly #balancer: Balancer;

  constructor(balancer: Balancer, { service, version }: { service: string; version: string }, rules: ClientRules) {
    const { routes, strategy, isStrict } = rules;
    const poolOf = (route: RouteRule): Pool => new Pool({
      candidates: balancer.candidatesOf({ service, version: route.version }),
      version: route.version, belongs: membershipOf(route, routes), label: labelOf(route),
      strategy: strategyOf(strategy, balancer.random),
    });
    this.#balancer = balancer;
    this.#isStrict = isStrict;
    this.#pools = routes.map(poolOf);
    this.rest = new Pool({
      candidates: balancer.candidatesOf({ service, version }),
      version, belongs: null, label: '', strategy: strategyOf(strategy, balancer.random),
    });
    const sum = routes.reduce((total, { share }) => total + share, 0);
    let upTo = 0;
    this.#bounds = routes.map(({ share }) => (upTo += share) / sum);
  }

  /** The instances of the route of a call; those of another one when it has none, unless the routes are strict. */
  route(key: string | undefined): Pool {
    const chosen = this.#drawn(key);
    if (this.#isStrict || chosen.isServed) return chosen;
    return this.otherThan(chosen);
  }

  /** The served route with the largest share but this one, else any instance of the contract's version. */
  otherThan(pool: Pool): Pool {
    let best = this.rest;
    let largest = 0;
    for (const [index, other] of this.#pools.entries()) {
      const share = this.#bounds[index]! - (this.#bounds[index - 1] ?? 0);
      if (other === pool || !other.isServed || share <= largest) continue;
      best = other;
      largest = share;
    }
    return best;
  }

  #drawn(key: string | undefined): Pool {
    if (this.#pools.length === 1) return this.#pools[0]!;
    const point = key === undefined ? this.#balancer.random() : fractionOf(mixed(hashOf(key) ^ ROUTE_SALT));
    return this.#pools[this.#bounds.findIndex((bound) => point < bound)] ?? this.#pools.at(-1)!;
  }
}

function labelOf({ tag }: RouteRule): string {
  return tag === null ? '' : ` with tag '${tag}'`;
}

type Membership = (of: { readonly tags: readonly string[] }) => boolean;

/** Null: all instances of the version. */
function membershipOf({ tag, version }: RouteRule, routes: readonly RouteRule[]): Membership | null {
  if (tag !== null) return ({ tags }) => tags.includes(tag);
  const others = routes.flatMap((route) => (route.version === version && route.tag !== null ? [route.tag] : []));
  return others.length === 0 ? null : ({ tags }) => !others.some((other) => tags.includes(other));
}
