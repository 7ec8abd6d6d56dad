import { asError } from '@millrace/core';
import { loadScript, type RedisConnection, type Topology } from '@millrace/redis';
import type { GroupPartition } from '../consume/group-partition.js';
import { type Page, pagesOf } from '../log/pages.js';
import { turnOf } from '../log/turns.js';

const declareHook = loadScript('../scripts/declare-hook.lua', import.meta.url);
const readUnreported = loadScript('../scripts/read-unreported.lua', import.meta.url);
const handOverUnreported = loadScript('../scripts/hand-over-unreported.lua', import.meta.url);
const settleUnreported = loadScript('../scripts/settle-unreported.lua', import.meta.url);

/** The consumer group on a stream of dead letters that reads them for the hook; `unreported.lua` has the same name. */
const HOOK = 'hook';
/** Consumer that holds the dead letters of members that left; no member has this name. */
export const NOBODY = 'nobody';
const ALL = 1_000_000;

export interface UnreportedLettersParts {
  readonly redis: Topology;
  readonly member: string;
  readonly partitions: readonly GroupPartition[];
}

/** A dead letter that a member holds, to report it. */
export interface UnreportedLetter {
  readonly partition: GroupPartition;
  /** Id of its entry in the stream of dead letters. */
  readonly id: string;
  /** How many times a process vanished that held it. */
  readonly crashes: number;
  readonly fields: readonly string[];
}

/** The result of a look at one partition. */
export interface LookResult {
  readonly partition: GroupPartition;
  /** How many dead letters the member held before. */
  readonly own: number;
  /** Other members that hold some. */
  readonly holders: readonly string[];
  readonly letters: readonly UnreportedLetter[];
  /** Why the look failed; null when it did not. */
  readonly failure: Error | null;
}

export interface HandOver {
  readonly from: string;
  readonly to: string;
  /** Whether the process of the holder vanished: that counts as a crash. */
  readonly crashed: boolean;
  /** Most dead letters, and most of those that have crashed. */
  readonly most: number;
  readonly mostSuspects: number;
  /** Ids that the holder keeps. */
  readonly kept: readonly string[];
}

type Reply = 'UNDECLARED' | [own: number, holders: string[], entries: [id: string, fields: string[]][]];

/** Dead letters of a group that are not reported to its hook yet, in Redis. */
export class UnreportedLetters {
  readonly #parts: UnreportedLettersParts;
  #turn = 0;

  constructor(parts: UnreportedLettersParts) {
    this.#parts = parts;
  }

  /** Declares the hook where it is new: it begins behind the present dead letters. */
  async declare(): Promise<void> {
    await Promise.all(this.#parts.partitions.map((partition) => this.#declare(partition)));
  }

  /** Reads `most` new ones of all partitions, which come first in turn. A hook that is gone is made again. */
  async look(most: number): Promise<LookResult[]> {
    const { partitions } = this.#parts;
    this.#turn = (this.#turn + 1) % partitions.length;
    const inTurn = [...partitions.slice(this.#turn), ...partitions.slice(0, this.#turn)];
    const results: LookResult[] = [];
    for (const page of pagesOf(inTurn, partitions.length, (partition) => this.#redisOf(partition))) {
      const found = results.reduce((sum, { letters }) => sum + letters.length, 0);
      results.push(...(await this.#lookAt(page, most - found)));
    }
    return results;
  }

  async #lookAt({ redis, partitions }: Page<GroupPartition>, most: number): Promise<LookResult[]> {
    const keys = partitions.map(({ groupKeys: { dead } }) => dead);
    const replies = (await redis.run(readUnreported, keys, [HOOK, this.#parts.member, most])) as Reply[];
    return Promise.all(partitions.map((partition, index) => this.#resultOf(partition, replies[index]!)));
  }

  async handOver(partition: GroupPartition, terms: HandOver): Promise<UnreportedLetter[]> {
    const { from, to, crashed, most, mostSuspects, kept } = terms;
    const args = [HOOK, from, to, crashed ? '1' : '0', most, mostSuspects, ...kept];
    const keys = [partition.groupKeys.dead];
    const given = (await this.#redisOf(partition).run(handOverUnreported, keys, args)) as [string, number, string[]][];
    return given.map(([id, crashes, fields]) => ({ partition, id, crashes, fields }));
  }

  /** Whether the member still holds it. */
  async has({ partition, id }: UnreportedLetter): Promise<boolean> {
    const args = [partition.groupKeys.dead, HOOK, id, id, 1, this.#parts.member];
    const pending = (await this.#redisOf(partition).call('XPENDING', ...args)) as unknown[];
    return pending.length > 0;
  }

  /** @param how `failed`: it will not be reported */
  async settle({ partition, id }: UnreportedLetter, how: 'reported' | 'failed'): Promise<void> {
    const { dead, stats } = partition.groupKeys;
    await this.#redisOf(partition).run(settleUnreported, [dead, stats], [HOOK, this.#parts.member, id, how]);
  }

  /** Leaves all that the member holds to others. */
  async leave(): Promise<void> {
    const { member, partitions } = this.#parts;
    const all = { from: member, to: NOBODY, crashed: false, most: ALL, mostSuspects: ALL, kept: [] };
    await Promise.all(partitions.map((partition) => this.handOver(partition, all)));
  }

  async #resultOf(partition: GroupPartition, reply: Reply): Promise<LookResult> {
    const nothing = { partition, own: 0, holders: [], letters: [] };
    try {
      const seen = turnOf(reply, 'read-unreported');
      if (seen !== 'UNDECLARED') return resultOf(partition, seen);
      await this.#declare(partition);
      return { ...nothing, failure: null };
    } catch (thrown) {
      return { ...nothing, failure: asError(thrown) };
    }
  }

  async #declare(partition: GroupPartition): Promise<void> {
    const { group, keys: { groups }, groupKeys: { dead, control } } = partition;
    await this.#redisOf(partition).run(declareHook, [dead, control, groups], [HOOK, this.#parts.member, group]);
  }

  #redisOf({ keys }: GroupPartition): RedisConnection {
    return this.#parts.redis.publishFor(keys.log);
  }
}

function resultOf(partition: GroupPartition, [own, holders, entries]: Exclude<Reply, string>): LookResult {
  const letters = entries.map(([id, fields]) => ({ partition, id, crashes: 0, fields }));
  return { partition, own, holders, letters, failure: null };
}
