import type { ServiceName } from '../keys.js';
import type { Instance } from '../registry/instance.js';
import type { ServiceQuery } from '../registry/instance-set.js';
import { Candidate } from './candidate.js';

/** The instances that take calls, as this process knows them. */
export interface InstancesPort {
  /** Resolves when the instances of the service are known. */
  use(service: string): Promise<void>;
  /** The same list until something changes. */
  instances(query: ServiceQuery): readonly Instance[];
}

/** The instances of one version of a service, with their calls in flight. */
export class Candidates {
  readonly #port: InstancesPort;
  readonly #name: ServiceName;
  #instances: readonly Instance[] | null = null;
  #members = new Map<string, Candidate>();
  #list: readonly Candidate[] = [];

  constructor(port: InstancesPort, { service, version }: ServiceName) {
    this.#port = port;
    this.#name = { service, version };
  }

  /** In the order of their names; the same list until something changes. */
  get list(): readonly Candidate[] {
    const instances = this.#port.instances(this.#name);
    if (instances !== this.#instances) this.#replace(instances);
    return this.#list;
  }

  of(member: string): Candidate | null {
    return (this.list, this.#members.get(member) ?? null);
  }

  #replace(instances: readonly Instance[]): void {
    this.#instances = instances;
    // The same instances in a new list: round-robin would begin anew.
    const isSame = instances.length === this.#list.length && this.#list.every((known, index) => known.isLike(instances[index]!));
    if (isSame) return;
    const before = this.#members;
    this.#members = new Map(instances.map((instance) => [instance.member, kept(before.get(instance.member), instance)]));
    this.#list = [...this.#members.values()];
  }
}

/** An instance that changes keeps its calls in flight. */
function kept(known: Candidate | undefined, instance: Instance): Candidate {
  if (known === undefined) return new Candidate(instance);
  known.weight = instance.weight;
  known.tags = instance.tags;
  return known;
}
