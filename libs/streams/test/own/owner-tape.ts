import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface, type Interface } from 'node:readline';
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
  readonly #monitor: Socket;
  readonly #lines: Interface;

  private constructor({ client, monitor }: { client: Redis; monitor: Socket }, partitions: ReadonlyMap<string, number>) {
    this.#client = client;
    this.#monitor = monitor;
    this.#partitions = partitions;
    this.#lines = createInterface(monitor).on('line', (line) => this.#hear(argumentsIn(line)));
  }

  static async start(url: string, group: { prefix: string; partitions: number }): Promise<OwnerTape> {
    const client = new Redis(url);
    // A socket of our own: ioredis breaks when a command of another client follows the answer to MONITOR at once.
    const { hostname, port } = new URL(url);
    const monitor = connect(Number(port), hostname);
    await once(monitor, 'connect');
    monitor.write('MONITOR\r\n');
    const partitions = new Map(placesOf(group).map(({ groupKeys, partition }) => [groupKeys.control, partition]));
    const tape = new OwnerTape({ client, monitor }, partitions);
    // The answer to MONITOR: all that follows is on the tape.
    await once(tape.#lines, 'line');
    return tape;
  }

  /** Resolves when all that Redis has done by now is on the tape. */
  async catchUp(): Promise<readonly Change[]> {
    const mark = `mark ${this.#marks.size} ${performance.now()}`;
    await this.#client.call('ECHO', mark);
    await waitFor(() => this.#marks.has(mark), { what: 'the tape to catch up' });
    return this.changes;
  }

  stop(): void {
    this.#lines.close();
    this.#monitor.destroy();
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

/** The command and its arguments in a line of MONITOR: `<time> [<db> <client>] "<command>" "<argument>" ...`. */
function argumentsIn(line: string): string[] {
  return [...line.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, argument]) => argument!);
}
