import { asError } from '@millrace/core';
import { loadScript, type RedisConnection } from '@millrace/redis';
import type { GroupPartition } from '../consume/group-partition.js';
import { turnOf } from '../log/turns.js';

const declareHook = loadScript('../scripts/declare-hook.lua', import.meta.url);
const readUntold = loadScript('../scripts/read-untold.lua', import.meta.url);
const handOverUntold = loadScript('../scripts/hand-over-untold.lua', import.meta.url);
const settleUntold = loadScript('../scripts/settle-untold.lua', import.meta.url);

/** The consumer group on a stream of dead letters that reads them for the hook; `untold.lua` knows it too. */
const HOOK = 'hook';
/** Holds what a member handed over that had nobody to hand it to; no member has this name. */
export const NOBODY = 'nobody';
const ALL = 1_000_000;

export interface UntoldLettersParts {
  readonly redis: RedisConnection;
  readonly member: string;
  readonly partitions: readonly GroupPartition[];
}

/** A dead letter that a member holds, to tell the hook of it. */
export interface UntoldLetter {
  readonly partition: GroupPartition;
  /** Of its entry in the stream of dead letters. */
  readonly id: string;
  /** How often a process vanished that held it. */
  readonly crashes: number;
  readonly fields: readonly string[];
}

/** What a look at one partition has shown. */
export interface Sight {
  readonly partition: GroupPartition;
  /** How many the member held before. */
  readonly own: number;
  /** Others that hold some. */
  readonly holders: readonly string[];
  readonly letters: readonly UntoldLetter[];
  /** Why nothing can be told of it; null when something can. */
  readonly failure: Error | null;
}

export interface HandOver {
  readonly from: string;
  readonly to: string;
  /** Whether the process of the holder vanished: that counts as a crash. */
  readonly crashed: boolean;
  /** How many at the most, and how many of those that have crashed. */
  readonly most: number;
  readonly mostSuspects: number;
  /** Ids that the holder keeps. */
  readonly kept: readonly string[];
}

type Reply = 'UNDECLARED' | [own: number, holders: string[], entries: [id: string, fields: string[]][]];

/** Dead letters of a group that its hook is to be told of, as Redis knows them. */
export class UntoldLetters {
  readonly #parts: UntoldLettersParts;
  #turn = 0;

  constructor(parts: UntoldLettersParts) {
    this.#parts = parts;
  }

  /** Has the hook begin where it was not declared yet: behind the dead letters that are there. */
  async declare(): Promise<void> {
    await Promise.all(this.#parts.partitions.map((partition) => this.#declare(partition)));
  }

  /** Brings `most` new ones of all partitions, each of which comes first in its turn. A hook that is gone is made again. */
  async look(most: number): Promise<Sight[]> {
    const { redis, member, partitions } = this.#parts;
    this.#turn = (this.#turn + 1) % partitions.length;
    const inTurn = [...partitions.slice(this.#turn), ...partitions.slice(0, this.#turn)];
    const keys = inTurn.map(({ groupKeys: { dead } }) => dead);
    const replies = (await redis.run(readUntold, keys, [HOOK, member, most])) as Reply[];
    return Promise.all(inTurn.map((partition, index) => this.#sightOf(partition, replies[index]!)));
  }

  async handOver(partition: GroupPartition, { from, to, crashed, most, mostSuspects, kept }: HandOver): Promise<UntoldLetter[]> {
    const args = [HOOK, from, to, crashed ? '1' : '0', most, mostSuspects, ...kept];
    const given = (await this.#parts.redis.run(handOverUntold, [partition.groupKeys.dead], args)) as [string, number, string[]][];
    return given.map(([id, crashes, fields]) => ({ partition, id, crashes, fields }));
  }

  /** Whether it is still the member's to tell. */
  async has({ partition, id }: UntoldLetter): Promise<boolean> {
    const { redis, member } = this.#parts;
    const pending = (await redis.call('XPENDING', partition.groupKeys.dead, HOOK, id, id, 1, member)) as unknown[];
    return pending.length > 0;
  }

  /** @param how `failed`: nobody will be told of it */
  async settle({ partition, id }: UntoldLetter, how: 'told' | 'failed'): Promise<void> {
    const { dead, stats } = partition.groupKeys;
    await this.#parts.redis.run(settleUntold, [dead, stats], [HOOK, this.#parts.member, id, how]);
  }

  /** Leaves all that the member holds to others. */
  async leave(): Promise<void> {
    const { member, partitions } = this.#parts;
    const all = { from: member, to: NOBODY, crashed: false, most: ALL, mostSuspects: ALL, kept: [] };
    await Promise.all(partitions.map((partition) => this.handOver(partition, all)));
  }

  async #sightOf(partition: GroupPartition, reply: Reply): Promise<Sight> {
    const nothing = { partition, own: 0, holders: [], letters: [] };
    try {
      const seen = turnOf(reply, 'read-untold');
      if (seen !== 'UNDECLARED') return sightOf(partition, seen);
      await this.#declare(partition);
      return { ...nothing, failure: null };
    } catch (thrown) {
      return { ...nothing, failure: asError(thrown) };
    }
  }

  async #declare({ group, keys: { groups }, groupKeys: { dead, control } }: GroupPartition): Promise<void> {
    await this.#parts.redis.run(declareHook, [dead, control, groups], [HOOK, this.#parts.member, group]);
  }
}

function sightOf(partition: GroupPartition, [own, holders, entries]: Exclude<Reply, string>): Sight {
  const letters = entries.map(([id, fields]) => ({ partition, id, crashes: 0, fields }));
  return { partition, own, holders, letters, failure: null };
}
