import type { PresencePort, Watcher } from '@millrace/core';
import { type RegistryPlace, removeInstance } from './change-instance.js';
import type { Duty } from './duty.js';
import type { InstanceSet, KnownInstance } from './instance-set.js';

/** Instances of each service that a caller watches: it learns at once when one of them dies that it may call. */
const MOST_OF_A_SERVICE = 16;
/** Instances behind each own one that a serving process watches: every instance has two that look after it. */
const NEIGHBOURS = 2;

export interface DepartedInstancesParts {
  readonly presence: PresencePort;
  readonly place: RegistryPlace;
  readonly instances: InstanceSet;
  /** Services that this process calls. */
  readonly called: ReadonlySet<string>;
  /** Members of this process that serve, by service. */
  readonly served: () => Iterable<readonly [service: string, member: string]>;
  /** Something is due, or known members have other fates. */
  readonly changed: () => void;
}

/** Watches some of the instances by their presence, and removes those that died or left. */
export class DepartedInstances implements Watcher, Duty {
  readonly #parts: DepartedInstancesParts;
  readonly #removed: (field: string) => void;
  /** Callers begin at different places in a long list, so that together they watch all of it. */
  readonly #start = Math.random();
  #watched: ReadonlySet<string> | null = null;
  #isDue = false;
  #isWatching = false;

  /** @param removed an instance is not in the registry any more */
  constructor(parts: DepartedInstancesParts, removed: (field: string) => void) {
    this.#parts = parts;
    this.#removed = removed;
  }

  get watched(): ReadonlySet<string> {
    return (this.#watched ??= this.#selected());
  }

  get isDue(): boolean {
    return this.#isDue;
  }

  start(): void {
    if (this.#isWatching) return;
    this.#isWatching = true;
    this.#parts.presence.watch(this);
  }

  stop(): void {
    this.#parts.presence.unwatch(this);
  }

  isGone(member: string): boolean {
    return this.#parts.presence.fateOf(member) !== 'living';
  }

  /** Other instances are known, or this process serves or calls others. */
  instancesChanged(): void {
    this.#watched = null;
  }

  readonly onGone = (): void => {
    this.#isDue = true;
    this.#parts.changed();
  };

  readonly onChanged = (): void => this.#parts.changed();

  readonly onReturn = (): void => this.#parts.changed();

  async perform(): Promise<void> {
    this.#isDue = false;
    try {
      for (const known of this.#departed()) {
        await removeInstance(this.#parts.place, known);
        this.#removed(known.field);
      }
    } catch (error) {
      this.#isDue = true;
      throw error;
    }
  }

  #departed(): KnownInstance[] {
    const { called, served } = this.#parts;
    const own = [...served()];
    const services = new Set([...called, ...own.map(([service]) => service)]);
    const known = [...services].flatMap((service) => [...this.#parts.instances.known(service)]);
    const members = new Set(own.map(([, member]) => member));
    return known.filter(({ instance: { member } }) => this.isGone(member) && !members.has(member));
  }

  #selected(): Set<string> {
    const { called, served } = this.#parts;
    const selected = new Set<string>();
    for (const service of called) {
      const members = this.#membersOf(service);
      for (const member of around(members, Math.floor(this.#start * members.length), MOST_OF_A_SERVICE)) selected.add(member);
    }
    const own = new Set([...served()].map(([, member]) => member));
    const others = new Map<string, readonly string[]>();
    for (const [service, member] of served()) {
      const known = others.get(service) ?? this.#membersOf(service).filter((each) => !own.has(each));
      others.set(service, known);
      for (const next of around(known, known.findIndex((each) => each > member), NEIGHBOURS)) selected.add(next);
    }
    for (const member of own) selected.delete(member);
    return selected;
  }

  /** In order. */
  #membersOf(service: string): string[] {
    return [...new Set([...this.#parts.instances.known(service)].map(({ instance }) => instance.member))].sort();
  }
}

/** So many items from an index on, going on at the beginning; an index of -1 is that of the first. */
function around(items: readonly string[], from: number, count: number): string[] {
  const first = Math.max(0, from);
  return Array.from({ length: Math.min(count, items.length) }, (_, index) => items[(first + index) % items.length]!);
}
