import type { Instance, MethodSummary } from './instance.js';
import type { InstanceReader } from './instance-reader.js';
import type { StoredField } from './change-instance.js';

export interface ServiceQuery {
  readonly service: string;
  /** Default: all versions. */
  readonly version?: string;
}

export interface KnownInstance extends StoredField {
  readonly instance: Instance;
}

/** Living instances of one service and version whose methods differ. */
export interface ContractConflict {
  readonly service: string;
  readonly version: string;
  /** Instances that agree with each other, by contract: two groups at least. */
  readonly groups: readonly AgreedInstances[];
}

export interface AgreedInstances {
  readonly contract: string;
  readonly members: readonly string[];
  readonly methods: ReadonlyMap<string, MethodSummary>;
}

export interface InstanceSetParts {
  readonly reader: InstanceReader;
  readonly isGone: (member: string) => boolean;
  readonly keepMs: number;
}

/** The instances that are known at this moment, with what is made of them kept until it changes. */
export class InstanceSet {
  readonly #reader: InstanceReader;
  /** Whether a member is known to be gone, though its instances are still there. */
  readonly isGone: (member: string) => boolean;
  /** How long those are kept that a lost registry does not have any more, in milliseconds. */
  readonly #keepMs: number;
  /** Their fields -> since when, by the monotonic clock in milliseconds. */
  readonly #lost = new Map<string, number>();
  /** Service -> field -> instance. */
  readonly #services = new Map<string, Map<string, KnownInstance>>();
  /** Service -> version, '' for all of them -> those that take calls. */
  readonly #callable = new Map<string, ReadonlyMap<string, readonly Instance[]>>();

  constructor({ reader, isGone, keepMs }: InstanceSetParts) {
    this.#reader = reader;
    this.isGone = isGone;
    this.#keepMs = keepMs;
  }

  /** Those that live and take calls, sorted by version and member. */
  callable({ service, version = '' }: ServiceQuery): readonly Instance[] {
    // A version that nobody has costs no look at the instances of others, and no memory: callers may ask for any number of them.
    return (this.#callable.get(service) ?? this.#callableOf(service)).get(version) ?? NONE;
  }

  #callableOf(service: string): ReadonlyMap<string, readonly Instance[]> {
    const found = this.all(service).filter((instance) => this.#takesCalls(instance));
    const versions = new Map<string, Instance[]>();
    if (!this.#services.has(service)) return versions;
    versions.set('', found);
    for (const instance of found) madeIn(versions, instance.version).push(instance);
    this.#callable.set(service, versions);
    return versions;
  }

  /** All of a service, sorted by version and member. */
  all(service: string): Instance[] {
    return sorted([...(this.#services.get(service)?.values() ?? [])].map(({ instance }) => instance));
  }

  known(service: string): Iterable<KnownInstance> {
    return this.#services.get(service)?.values() ?? [];
  }

  /** @returns the service that has changed, null for none */
  put({ field, text }: StoredField): string | null {
    const service = serviceOf(field);
    this.#lost.delete(field);
    if (this.#services.get(service)?.get(field)?.text === text) return null;
    const instance = this.#reader.read(field, text);
    if (!instance) return this.remove(field);
    const fields = this.#services.get(service) ?? new Map<string, KnownInstance>();
    this.#services.set(service, fields.set(field, { field, text, instance }));
    this.#callable.delete(service);
    return service;
  }

  /** @returns the service that has changed, null for none */
  remove(field: string): string | null {
    const service = serviceOf(field);
    this.#lost.delete(field);
    if (!this.#services.get(service)?.delete(field)) return null;
    this.#callable.delete(service);
    return service;
  }

  /**
   * From now on these are the instances of these services, and those that a lost registry does not have any more: they go on
   * serving, and register again. See {@link forgetLost} for those that do not.
   *
   * @param isLost whether the registry has lost something since these were known
   * @returns the services that have changed
   */
  replace(services: readonly string[], fields: ReadonlyMap<string, string>, isLost = false): Set<string> {
    const missing = services.flatMap((service) => [...this.known(service)].filter(({ field }) => !fields.has(field)));
    if (isLost) for (const { field } of missing) this.#lost.set(field, performance.now());
    const removed = missing.filter(({ field }) => !this.#lost.has(field)).map(({ field }) => this.remove(field));
    const put = [...fields].map(([field, text]) => this.put({ field, text }));
    return withoutNull([...removed, ...put]);
  }

  /**
   * Those that were lost and have not registered again in time are not registered any more.
   *
   * @returns the services that have changed
   */
  forgetLost(): Set<string> {
    const late = [...this.#lost].filter(([, sinceMs]) => performance.now() - sinceMs > this.#keepMs);
    return withoutNull(late.map(([field]) => this.remove(field)));
  }

  /** Members have died or come back. */
  fatesChanged(): void {
    this.#callable.clear();
  }

  conflicts(service: string): ContractConflict[] {
    const versions = new Map<string, Map<string, Instance[]>>();
    for (const instance of this.all(service).filter(({ member }) => !this.isGone(member))) {
      const contracts = versions.get(instance.version) ?? new Map<string, Instance[]>();
      versions.set(instance.version, contracts.set(instance.contract, [...(contracts.get(instance.contract) ?? []), instance]));
    }
    return [...versions].filter(([, contracts]) => contracts.size > 1).map(([version, contracts]) => ({
      service, version,
      groups: [...contracts].map(([contract, some]) => agreed(contract, some)),
    }));
  }

  #takesCalls({ draining, member }: Instance): boolean {
    return !draining && !this.isGone(member);
  }
}

function withoutNull(services: readonly (string | null)[]): Set<string> {
  return new Set(services.filter((service) => service !== null));
}

const NONE: readonly Instance[] = Object.freeze([]);

function madeIn(versions: Map<string, Instance[]>, version: string): Instance[] {
  const known = versions.get(version);
  if (known) return known;
  const made: Instance[] = [];
  versions.set(version, made);
  return made;
}

export function sorted(instances: Instance[]): Instance[] {
  return instances.sort((one, other) =>
    compare(one.service, other.service) || compare(one.version, other.version) || compare(one.member, other.member));
}

function agreed(contract: string, instances: readonly Instance[]): AgreedInstances {
  return { contract, members: instances.map(({ member }) => member), methods: instances[0]!.methods };
}

function compare(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}

function serviceOf(field: string): string {
  return field.slice(0, field.indexOf(':'));
}
