import { MillraceError, type PresencePort } from '@millrace/core';
import type { Topology } from '@millrace/redis';
import { registryKeys } from '../keys.js';
import type { RegistryPlace } from './change-instance.js';
import { DepartedInstances } from './departed-instances.js';
import type { InstanceDefinition } from './instance.js';
import { InstanceReader } from './instance-reader.js';
import { InstanceSet } from './instance-set.js';
import { type Registration, Registrations } from './registrations.js';
import { RegistrySync } from './registry-sync.js';
import { RegistryView } from './registry-view.js';

export interface RegistryOptions {
  /** Belongs to the caller: {@link Registry.stop} does not close it. */
  readonly redis: Topology;
  readonly presence: PresencePort;
  /** The first part of every key. */
  readonly prefix: string;
  /**
   * How often the version of the registry is asked for, behind the changes that are pushed: about so many milliseconds. Default
   * 10 000.
   */
  readonly pollMs?: number;
}

const DEFAULT_POLL_MS = 10_000;
const LEAST_POLL_MS = 10;
/** An instance that lives looks at each poll whether it is registered still, and so registers again before that many of them. */
const KEPT_POLLS = 3;

/** The instances of services: those of this process, and those that it uses. */
export class Registry {
  readonly view: RegistryView;
  readonly #registrations: Registrations;
  readonly #sync: RegistrySync;
  readonly #departed: DepartedInstances;
  readonly #instances: InstanceSet;

  /** @throws MillraceError INVALID_OPTIONS */
  constructor({ redis, presence, prefix, pollMs = DEFAULT_POLL_MS }: RegistryOptions) {
    assertPollMs(pollMs);
    const keys = registryKeys(prefix);
    const place: RegistryPlace = { keys, connection: redis.controlFor(keys.instances) };
    const reader = new InstanceReader();
    const called = new Set<string>();
    const registrations = new Registrations({ presence, place, reader, changed: () => this.#servedChanged() });
    const isGone = (member: string): boolean => presence.fateOf(member) !== 'living';
    const instances: InstanceSet = new InstanceSet({ reader, isGone, keepMs: KEPT_POLLS * pollMs });
    const departed = new DepartedInstances(
      { presence, place, called, instances, served: () => registrations.served(), changed: () => this.#fatesChanged() },
      (field) => this.#changed(new Set([instances.remove(field)])),
    );
    this.#registrations = registrations;
    this.#instances = instances;
    this.#departed = departed;
    this.#sync = new RegistrySync({
      redis, place, instances, pollMs,
      duties: [registrations, departed],
      polled: () => registrations.look(),
      changed: (services) => this.#changed(services),
      heard: (change) => registrations.heard(change),
    });
    const call = (service: string): void => this.#call(called, service);
    this.view = new RegistryView({ sync: this.#sync, instances, reader, place, called: call });
  }

  /**
   * Puts an instance of this process into the registry, for as long as it lives: it is put there again when it is missing.
   *
   * @throws MillraceError INVALID_INPUT: the instance; CONTRACT_CONFLICT: a living instance of its service and version has other
   * methods, which takes somewhat more than a lease to find out; CLOSED after {@link stop}
   * @throws RedisFailure nothing stays registered
   */
  async register(definition: InstanceDefinition): Promise<Registration> {
    return this.#registrations.register(definition);
  }

  /** Looks at once whether the instances of this process are still there: Redis has lost something. */
  look(): void {
    this.#registrations.onReturn();
  }

  /** Removes the instances of this process: before its presence ends. The view goes on answering from its last copy. */
  async stop(): Promise<void> {
    this.#departed.stop();
    await Promise.all([this.#sync.stop(), this.#registrations.stop()]);
  }

  #call(called: Set<string>, service: string): void {
    if (called.has(service)) return;
    called.add(service);
    this.#departed.instancesChanged();
    this.#departed.start();
    this.#sync.use(service);
  }

  #servedChanged(): void {
    this.#departed.instancesChanged();
    this.#departed.start();
    for (const [service] of this.#registrations.served()) this.#sync.use(service);
    this.#sync.start();
  }

  #fatesChanged(): void {
    this.#instances.fatesChanged();
    this.#sync.wake();
  }

  #changed(services: ReadonlySet<string | null>): void {
    const changed = new Set([...services].filter((service) => service !== null));
    if (changed.size === 0) return;
    this.#departed.instancesChanged();
    this.view.changed(changed);
  }
}

function assertPollMs(pollMs: unknown): void {
  if (Number.isSafeInteger(pollMs) && (pollMs as number) >= LEAST_POLL_MS) return;
  throw new MillraceError('INVALID_OPTIONS', `pollMs: ${String(pollMs)} is not a whole number of milliseconds, at least ${LEAST_POLL_MS}.`);
}
