import { asError, emit, errorRecord, isName, MillraceError, quote } from '@millrace/core';
import { withDeadline } from '@millrace/redis';
import type { RegistryPlace } from './change-instance.js';
import type { Instance } from './instance.js';
import type { InstanceReader } from './instance-reader.js';
import { type ContractConflict, type InstanceSet, type ServiceQuery, sorted } from './instance-set.js';
import { readInstances } from './read-instances.js';
import type { RegistrySync } from './registry-sync.js';

/** How long a first use waits for Redis. */
const FIRST_READ_MS = 5_000;

export type InstancesListener = (instances: readonly Instance[]) => void;

/** How often something has happened to the view since the process began. */
export interface RegistryCounters {
  /** Instances that nobody can read or that are too large, and instances with values out of bounds. */
  readonly skipped: number;
  readonly clamped: number;
  /** Changes that were heard, changes that did not follow the one before, and reads of all instances of the services in use. */
  readonly pushes: number;
  readonly gaps: number;
  readonly reads: number;
}

export interface RegistryViewParts {
  readonly sync: RegistrySync;
  readonly instances: InstanceSet;
  readonly reader: InstanceReader;
  readonly place: RegistryPlace;
  /** This process calls the service from now on. */
  readonly called: (service: string) => void;
}

/**
 * The instances of the services that this process uses. It answers from a copy in this process, which changes are pushed to;
 * while Redis is away it goes on answering from the last one.
 */
export class RegistryView {
  readonly #parts: RegistryViewParts;
  /** By service. */
  readonly #listeners = new Map<string, Set<InstancesListener>>();
  /** Reads that were sent in this tick, by service. */
  readonly #reading = new Map<string, Promise<readonly Instance[]>>();

  constructor(parts: RegistryViewParts) {
    this.#parts = parts;
  }

  /** 0 while every change is heard; else how long ago the copy was surely right, in ms: Infinity before the first read. */
  get staleForMs(): number {
    return this.#parts.sync.staleForMs;
  }

  get counters(): RegistryCounters {
    const { reader, sync } = this.#parts;
    const { pushes, gaps, reads, passedOver } = sync.counts;
    return { skipped: reader.counts.skipped + passedOver, clamped: reader.counts.clamped, pushes, gaps, reads };
  }

  /**
   * Resolves when the instances of the service are known; from then on {@link instances} has them. May be called again.
   *
   * @throws MillraceError INVALID_NAME; REDIS_UNREACHABLE when they cannot be read within 5 seconds: they are later, all the same
   */
  async use(service: string): Promise<void> {
    const { sync } = this.#parts;
    this.#begin(service);
    if (!sync.isLoaded(service)) await withDeadline(sync.loaded(service), FIRST_READ_MS, () => unread(service));
  }

  /**
   * The instances that take calls, as far as this process knows: none that drains, or is known to be gone. Sorted by version and
   * member; the same list until something changes. A service that was never used before has none at first: see {@link use}.
   *
   * @throws MillraceError INVALID_NAME
   */
  instances(query: ServiceQuery): readonly Instance[] {
    if (!this.#parts.sync.isLoaded(query.service)) this.#begin(query.service);
    return this.#parts.instances.callable(query);
  }

  /**
   * Asks Redis whether anybody takes calls of the service: the copy here may not know yet. Those who ask in one tick share the
   * answer; an earlier one could be out of date.
   *
   * @throws RedisFailure
   */
  isServed(query: ServiceQuery): Promise<boolean> {
    const { service } = query;
    const reading = this.#reading.get(service) ?? this.#readNow(service);
    if (!this.#reading.has(service)) process.nextTick(() => this.#reading.delete(service));
    this.#reading.set(service, reading);
    return reading.then((found) => found.some(({ draining, version }) => !draining && version === (query.version ?? version)));
  }

  /**
   * Living instances of the services in use that have the service and the version in common, and not their methods.
   */
  conflicts(): readonly ContractConflict[] {
    return [...this.#parts.sync.services].sort().flatMap((service) => this.#parts.instances.conflicts(service));
  }

  /**
   * Calls the listener after each change with all instances of the service, those that drain included.
   *
   * @returns a function that stops it
   * @throws MillraceError INVALID_NAME
   */
  watch(service: string, listener: InstancesListener): () => void {
    this.#begin(service);
    const own: InstancesListener = (instances) => listener(instances);
    const listeners = this.#listeners.get(service) ?? new Set();
    this.#listeners.set(service, listeners.add(own));
    return () => void listeners.delete(own);
  }

  /**
   * Reads the instances of all services from Redis, those that drain included; sorted by service, version and member.
   *
   * @throws RedisFailure
   */
  async list(): Promise<readonly Instance[]> {
    const { place, reader } = this.#parts;
    const { fields } = await readInstances(place, []);
    return sorted([...fields].flatMap(([field, text]) => reader.read(field, text) ?? []));
  }

  async #readNow(service: string): Promise<readonly Instance[]> {
    const { place, reader, instances } = this.#parts;
    const { fields } = await readInstances(place, [service]);
    const found = [...fields].flatMap(([field, text]) => reader.read(field, text) ?? []);
    return found.filter(({ member }) => !instances.isGone(member));
  }

  /** Instances of these services have changed. */
  changed(services: ReadonlySet<string>): void {
    for (const service of services) {
      const listeners = this.#listeners.get(service);
      if (!listeners || listeners.size === 0) continue;
      const instances = this.#parts.instances.all(service);
      for (const listener of listeners) notify(listener, instances);
    }
  }

  #begin(service: string): void {
    if (!isName(service)) throw new MillraceError('INVALID_NAME', `${quote(service)} is not allowed as the name of a service: use 1 to 128 of the characters A-Z a-z 0-9 . _ -, beginning with a letter or a digit.`);
    this.#parts.called(service);
  }
}

function notify(listener: InstancesListener, instances: readonly Instance[]): void {
  try {
    listener(instances);
  } catch (thrown) {
    emit('loop-failed', { loop: 'registry', error: errorRecord(asError(thrown)), failures: 1 });
  }
}

function unread(service: string): MillraceError {
  const what = `The instances of service '${service}' could not be read from Redis within ${FIRST_READ_MS / 1_000} s`;
  return new MillraceError('REDIS_UNREACHABLE', `${what}. They are read as soon as it answers; check the connection.`, { retryable: true });
}
