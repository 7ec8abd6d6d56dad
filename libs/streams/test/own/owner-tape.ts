import { Redis } from 'ioredis';
import { waitFor } from '@millrace/testing';
import { placesOf } from './owner-member.js';

/** A change of a record, as Redis made it. */
export interface Change {
  readonly partition: number;
  /** null: the partition was released. */
  readonly owner: string | null;
  /** null for a release, which leaves the epoch. */
  readonly epoch: number | null;
}

/** Counts of all that may not be: all but `takeovers` should be 0. */
export interface OwnerFaults {
  /** Epochs of a partition that had two owners, or were not above the one before. */
  readonly twoOwners: number;
  /** Releases of a partition that nobody owned. */
  readonly strayReleases: number;
  /** The owners from whom a partition was taken: those are to be dead. */
  readonly takenFrom: readonly string[];
}

/** Judges the changes of all records, in the order in which Redis made them. */
export function faultsIn(changes: readonly Change[]): OwnerFaults {
  const last = new Map<number, { owner: string | null; epoch: number }>();
  let [twoOwners, strayReleases] = [0, 0];
  const takenFrom: string[] = [];
  for (const { partition, owner, epoch } of changes) {
    const before = last.get(partition) ?? { owner: null, epoch: 0 };
    if (owner === null && before.owner === null) strayReleases += 1;
    if (owner !== null && epoch! <= before.epoch) twoOwners += 1;
    if (owner !== null && before.owner !== null && owner !== before.owner) takenFrom.push(before.owner);
    last.set(partition, { owner, epoch: epoch ?? before.epoch });
  }
  return { twoOwners, strayReleases, takenFrom };
}

/** Records every acquire and release in the one order that there is: that of Redis, as MONITOR shows it. */
export class OwnerTape {
  readonly changes: Change[] = [];
  readonly #partitions: ReadonlyMap<string, number>;
  readonly #marks = new Set<string>();
  readonly #client: Redis;
  readonly #monitor: Redis;

  private constructor({ client, monitor }: { client: Redis; monitor: Redis }, partitions: ReadonlyMap<string, number>) {
    this.#client = client;
    this.#monitor = monitor;
    this.#partitions = partitions;
    monitor.on('monitor', (_: string, args: string[]) => this.#hear(args));
  }

  static async start(url: string, group: { prefix: string; partitions: number }): Promise<OwnerTape> {
    const client = new Redis(url);
    const monitor = await client.monitor();
    const partitions = new Map(placesOf(group).map(({ groupKeys, partition }) => [groupKeys.control, partition]));
    return new OwnerTape({ client, monitor }, partitions);
  }

  /** Resolves when all that Redis has done by now is on the tape. */
  async catchUp(): Promise<readonly Change[]> {
    const mark = `mark ${this.#marks.size} ${performance.now()}`;
    await this.#client.call('ECHO', mark);
    await waitFor(() => this.#marks.has(mark), { what: 'the tape to catch up' });
    return this.changes;
  }

  stop(): void {
    this.#monitor.disconnect();
    this.#client.disconnect();
  }

  #hear([command = '', key = '', ...rest]: string[]): void {
    const name = command.toUpperCase();
    if (name === 'ECHO') this.#marks.add(key);
    const partition = this.#partitions.get(key);
    if (partition === undefined || rest[0] !== 'owner') return;
    if (name === 'HSET') this.changes.push({ partition, owner: rest[1]!, epoch: Number(rest[3]) });
    if (name === 'HDEL') this.changes.push({ partition, owner: null, epoch: null });
  }
}
