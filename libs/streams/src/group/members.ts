import type { Watcher } from '@millrace/core';
import type { Topology } from '@millrace/redis';
import type { GroupPartition } from '../consume/group-partition.js';
import { OWNER } from '../own/owner-consumer.js';
import type { Presence } from './presence.js';

type Pending = [count: number, first: string | null, last: string | null, owners: [name: string, count: string][] | null];

/** The members of a group, seen from outside: from {@link watch} on it learns which of them live. */
export class Members implements Watcher {
  readonly onGone = (): void => undefined;
  readonly onReturn = (): void => undefined;
  readonly #redis: Topology;
  readonly #presence: Presence;
  readonly #names = new Set<string>();

  constructor(redis: Topology, presence: Presence) {
    this.#redis = redis;
    this.#presence = presence;
  }

  get watched(): ReadonlySet<string> {
    return this.#names;
  }

  watch(): void {
    this.#presence.watch(this);
  }

  unwatch(): void {
    this.#presence.unwatch(this);
  }

  /** All members but those that are known to be gone: a member counts as living until it was silent for a lease. */
  async living({ keys, group }: GroupPartition): Promise<string[]> {
    const consumers = (await this.#redis.controlFor(keys.log).call('XINFO', 'CONSUMERS', keys.log, group)) as [string, string][];
    return this.#learn(consumers.map(([, name]) => name).filter((name) => name !== OWNER)).filter((name) => !this.#isGone(name));
  }

  /** Members that are gone and still hold messages in this partition. */
  async goneHolders({ keys, streams, group }: GroupPartition): Promise<string[]> {
    const redis = this.#redis.controlFor(keys.log);
    const pending = (await Promise.all(streams.map(({ key }) => redis.call('XPENDING', key, group)))) as Pending[];
    const owners = pending.flatMap(([, , , each]) => each ?? []).map(([name]) => name);
    return this.gone([...new Set(owners)].filter((name) => name !== OWNER));
  }

  /** Selects the members that are gone; all of them are watched from now on. */
  gone(names: readonly string[]): string[] {
    return this.#learn(names).filter((name) => this.#isGone(name));
  }

  #learn(names: readonly string[]): readonly string[] {
    for (const name of names) this.#names.add(name);
    return names;
  }

  #isGone(name: string): boolean {
    return this.#presence.fateOf(name) !== 'living';
  }
}
