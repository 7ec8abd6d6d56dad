import type { ServiceName } from '../keys.js';
import { Candidates, type InstancesPort } from './candidates.js';
import { Circuit, type CircuitState } from './circuit.js';
import type { CircuitRule } from './client-rules.js';
import { InFlight } from './limiting.js';
import type { Random } from './strategy.js';

export interface BalancerOptions {
  /** Numbers from 0 on, below 1. Default `Math.random`. */
  readonly random?: Random;
}

/** The knowledge that the clients of a process share: instances with their calls in flight, and the circuits. */
export class Balancer {
  readonly random: Random;
  readonly #port: InstancesPort;
  /** By service and version. */
  readonly #candidates = new Map<string, Candidates>();
  /** By service. */
  readonly #inFlight = new Map<string, InFlight>();
  /** By service and version, then by rule. */
  readonly #circuits = new Map<string, Map<CircuitRule, Circuit>>();
  /** By their text: clients with the same options share their circuits. */
  readonly #rules = new Map<string, CircuitRule>();
  readonly #known = new Set<string>();
  readonly #looking = new Map<string, Promise<void>>();

  /** @param port such as `rpc.instances` */
  constructor(port: InstancesPort, { random = Math.random }: BalancerOptions = {}) {
    this.#port = port;
    this.random = random;
  }

  /** The circuits of services and of instances that have been called, as they are now. */
  circuits(): CircuitState[] {
    const services = [...this.#circuits.values()].flatMap((circuits) => [...circuits.values()]);
    const candidates = [...this.#candidates.values()].flatMap(({ list }) => list);
    const instances = candidates.flatMap((candidate) => [...candidate.circuits.values()]);
    return [...services, ...instances].map(({ state }) => state);
  }

  /** Null when the instances of the service are known; else resolves when they are, or cannot be read at the moment. */
  before(service: string): Promise<void> | null {
    if (this.#known.has(service)) return null;
    const looking = this.#looking.get(service) ?? this.#look(service);
    this.#looking.set(service, looking);
    return looking;
  }

  candidatesOf(name: ServiceName): Candidates {
    return madeOnce(this.#candidates, textOf(name), () => new Candidates(this.#port, name));
  }

  inFlightOf(service: string): InFlight {
    return madeOnce(this.#inFlight, service, () => new InFlight());
  }

  circuitOf({ service, version }: ServiceName, rule: CircuitRule): Circuit {
    const circuits = madeOnce(this.#circuits, textOf({ service, version }), () => new Map<CircuitRule, Circuit>());
    return madeOnce(circuits, rule, () => new Circuit({ service, version, instance: null }, rule));
  }

  /** @returns the one rule for all clients that say the same */
  sharedRule(rule: CircuitRule): CircuitRule {
    return madeOnce(this.#rules, JSON.stringify(rule), () => rule);
  }

  async #look(service: string): Promise<void> {
    try {
      await this.#port.use(service);
      this.#known.add(service);
    } catch {
      // Redis is away: any instance may take the call when it is back, or its deadline ends it.
    }
    this.#looking.delete(service);
  }
}

function madeOnce<K, V>(made: Map<K, V>, key: K, make: () => V): V {
  const known = made.get(key);
  if (known !== undefined) return known;
  const value = make();
  made.set(key, value);
  return value;
}

function textOf({ service, version }: ServiceName): string {
  return `${service}:${version}`;
}
