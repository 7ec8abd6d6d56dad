import { loadScript, type RedisConnection, type RunnableScript, type Topology } from '@millrace/redis';
import type { GroupPartition } from '../consume/group-partition.js';
import { type Page, pagesOf } from '../log/pages.js';
import { turnOf } from '../log/turns.js';
import type { OwnerRecord } from './owner-record.js';

const lookOwners = loadScript('../scripts/look-owners.lua', import.meta.url);
const acquire = loadScript('../scripts/acquire.lua', import.meta.url);
const release = loadScript('../scripts/release.lua', import.meta.url);

/** Most partitions in one call. */
const MOST_PARTITIONS = 64;

/** A partition that the member wants to own, and how it saw it. */
export interface Claim {
  readonly place: GroupPartition;
  readonly expected: OwnerRecord;
  /** The epoch is to be no lower, whatever the record says. */
  readonly leastEpoch: number;
  /** Whether the expected owner died with all that it held. */
  readonly hasDied: boolean;
}

export interface Owned {
  readonly place: GroupPartition;
  readonly epoch: number;
  /** Whether the death of the owner before is counted, or there was none: the next owner counts it else. */
  readonly hasCounted: boolean;
}

export interface OwnerRecordsParts {
  /** After a failure the other connection is used: nobody else takes the partitions while this process lives. */
  readonly redis: Pick<Topology, 'controlFor' | 'publishFor'>;
  readonly member: string;
}

/** Answers by partition. One that failed is not among them: its error is in `errors`. */
export interface Answers<T> {
  readonly found: ReadonlyMap<GroupPartition, T>;
  readonly errors: readonly unknown[];
}

type RecordReply = readonly [owner: string, epoch: string];

/** The records of the owners in Redis, which alone decide. Partitions of one connection go in one call. */
export class OwnerRecords {
  readonly #parts: OwnerRecordsParts;
  #failures = 0;

  constructor(parts: OwnerRecordsParts) {
    this.#parts = parts;
  }

  async look(places: readonly GroupPartition[]): Promise<Answers<OwnerRecord>> {
    return this.#all(places.map((place) => ({ place })), { script: lookOwners, head: [], argsOf: () => [], read: recordOf });
  }

  /** @returns for each the epoch under which the member owns it, or else the record that stands */
  async acquire(claims: readonly Claim[]): Promise<Answers<number | OwnerRecord>> {
    const argsOf = ({ expected: { owner, epoch }, leastEpoch, hasDied }: Claim): (string | number)[] => [owner, epoch, leastEpoch, hasDied ? '1' : ''];
    const read = (reply: number | RecordReply): number | OwnerRecord => (typeof reply === 'number' ? reply : recordOf(reply));
    const keysOf = ({ groupKeys: { control }, keys: { meta } }: GroupPartition): string[] => [control, meta];
    return this.#all(claims, { script: acquire, head: this.#headOf(claims), keysOf, argsOf, read });
  }

  /** @returns for each whether nobody owns it since; false when it was not the member's under that epoch */
  async release(owned: readonly Owned[]): Promise<Answers<boolean>> {
    const read = (reply: number): boolean => reply === 1;
    const argsOf = ({ epoch, hasCounted }: Owned): (string | number)[] => [epoch, hasCounted ? '1' : ''];
    return this.#all(owned, { script: release, head: this.#headOf(owned), argsOf, read });
  }

  #headOf(wishes: readonly { readonly place: GroupPartition }[]): string[] {
    return [wishes[0]?.place.group ?? '', this.#parts.member];
  }

  async #all<W extends { readonly place: GroupPartition }, R, T>(wishes: readonly W[], call: Call<W, R, T>): Promise<Answers<T>> {
    const found = new Map<GroupPartition, T>();
    const errors: unknown[] = [];
    const pages = pagesOf(wishes, MOST_PARTITIONS, ({ place }) => this.#redisOf(place));
    await Promise.all(pages.map((page) => ask(page, call, { found, errors }).catch((error: unknown) => errors.push(error))));
    if (errors.length > 0) this.#failures += 1;
    return { found, errors };
  }

  #redisOf({ keys }: GroupPartition): RedisConnection {
    const { redis } = this.#parts;
    return this.#failures % 2 === 0 ? redis.controlFor(keys.log) : redis.publishFor(keys.log);
  }
}

interface Call<W, R, T> {
  readonly script: RunnableScript;
  readonly head: readonly string[];
  /** Default: the key that has the record. */
  readonly keysOf?: (place: GroupPartition) => readonly string[];
  readonly argsOf: (wish: W) => readonly (string | number)[];
  readonly read: (reply: R) => T;
}

async function ask<W extends { readonly place: GroupPartition }, R, T>(
  { redis, partitions }: Page<W>,
  { script, head, keysOf = recordKeys, argsOf, read }: Call<W, R, T>,
  { found, errors }: { found: Map<GroupPartition, T>; errors: unknown[] },
): Promise<void> {
  const keys = partitions.flatMap(({ place }) => keysOf(place));
  const replies = (await redis.run(script, keys, [...head, ...partitions.flatMap(argsOf)])) as R[];
  for (const [index, { place }] of partitions.entries()) {
    try {
      found.set(place, read(turnOf(replies[index]!, script.name)));
    } catch (error) {
      errors.push(error);
    }
  }
}

function recordKeys({ groupKeys: { control } }: GroupPartition): readonly string[] {
  return [control];
}

function recordOf([owner, epoch]: RecordReply): OwnerRecord {
  return { owner, epoch };
}
