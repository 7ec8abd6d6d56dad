import type { Retention, TopicDefinition } from '@millrace/core';
import { loadScript, type RedisConnection, type Topology } from '@millrace/redis';
import { type DurableRun, type DurableRoutes, runDurably } from '../durable/durable-routes.js';
import { type PartitionKeys, partitionKeys } from '../keys.js';
import { boundsOf } from '../retain/retained-partition.js';
import { type HalfRecord, halfRecordOf, type HalfTerms } from './half-record.js';

const prepareHalf = loadScript('../scripts/prepare-half.lua', import.meta.url);
const commitHalf = loadScript('../scripts/commit-half.lua', import.meta.url);
const endHalf = loadScript('../scripts/end-half.lua', import.meta.url);
const takeHalves = loadScript('../scripts/take-halves.lua', import.meta.url);
const putOffHalf = loadScript('../scripts/put-off-half.lua', import.meta.url);

/** How long the end of a half message is remembered, at least; at most twice as long. */
export const END_WINDOW_MS = 3_600_000;

/** Half messages that one call of a script takes for checks, at the most: a thousand of them would hold Redis up for long. */
const MOST_TAKEN = 32;

export interface HalfPartitionParts {
  readonly redis: Topology;
  readonly prefix: string;
  readonly routes: DurableRoutes;
  readonly topic: TopicDefinition;
}

/** A half message that is to be stored in a partition. */
export interface HalfToStore {
  readonly id: string;
  readonly terms: HalfTerms;
  readonly envelope: string;
  /** The number of partitions from which its own follows. */
  readonly partitions: number;
  /** Until when a look at the partition is promised, in Unix milliseconds of Redis's clock. */
  readonly promisedUntil: string;
  /** Null: it is stored in any case. */
  readonly retention: Retention | null;
  /** Its record in the partition that it comes from; null for a new one. */
  readonly before: (Pick<HalfRecord, 'storedAtMs' | 'checks'> & { readonly partition: number }) | null;
}

export interface HalfToCommit {
  readonly id: string;
  readonly terms: HalfTerms;
  /** The number of partitions from which its own follows; null when it belongs to another one. */
  readonly partitions: number | null;
  /** The window in which its idempotency key is claimed elsewhere; null when it is not. */
  readonly claimedIn: number | null;
  /** Whether it is gone from the partition that it comes from. */
  readonly hasLeft: boolean;
}

/** When a half message is checked again. */
export interface PutOff {
  /** The number of the take; null for an operator's. */
  readonly take: number | null;
  /** Checks that were answered. */
  readonly checks: number;
  /** Null: it is checked no more. */
  readonly inMs: number | null;
}

/** Half messages that were taken for a check. */
export interface TakenHalves {
  /** Milliseconds until the next one is due; -1 when none is. */
  readonly nextMs: number;
  readonly halves: readonly { readonly id: string; readonly text: string }[];
}

/** The half messages of one partition in Redis. */
export class HalfPartition {
  readonly partition: number;
  readonly #parts: HalfPartitionParts;
  readonly #keys: PartitionKeys;

  constructor(parts: HalfPartitionParts, partition: number) {
    this.partition = partition;
    this.#parts = parts;
    this.#keys = partitionKeys(parts.prefix, parts.topic.name, partition);
  }

  /** The connection whose state says whether another try is worth it. */
  get redis(): RedisConnection {
    return this.#parts.redis.publishFor(this.#keys.log);
  }

  prepare({ id, terms, envelope, partitions, promisedUntil, retention, before }: HalfToStore): Promise<DurableRun> {
    const { meta, halves, halvesDue, halvesAge, halfEnds } = this.#keys;
    const past = before ? [before.partition, before.storedAtMs, before.checks] : ['-', '', 0];
    const rules = [terms.checkAfterMs, END_WINDOW_MS, ...boundsOf(retention)];
    const args = [id, partitions, promisedUntil, ...rules, ...past, JSON.stringify(terms), envelope];
    const keys = [meta, halves, halvesDue, halvesAge, ...halfEnds];
    return runDurably(this.#parts.routes.to(meta, terms.durability), prepareHalf, { keys, args });
  }

  commit({ id, terms, partitions, claimedIn, hasLeft }: HalfToCommit): Promise<DurableRun> {
    const { log, meta, halves, halvesDue, halvesAge, halfEnds, ids, delayed } = this.#keys;
    const isPlain = terms.key === undefined && terms.due === undefined;
    const keys = [log, meta, halves, halvesDue, halvesAge, ...halfEnds, ...(isPlain ? [] : [...ids, delayed])];
    const args = [id, partitions ?? '', END_WINDOW_MS, this.#parts.topic.idempotencyWindowMs, claimedIn ?? '', hasLeft ? '1' : ''];
    return runDurably(this.#parts.routes.to(log, terms.durability), commitHalf, { keys, args });
  }

  /** @param end its text, as `include/half-messages.lua` has it */
  async end(id: string, end: string, hasLeft: boolean): Promise<string> {
    const { halves, halvesDue, halvesAge, halfEnds } = this.#keys;
    const keys = [halves, halvesDue, halvesAge, ...halfEnds];
    return String(await this.redis.run(endHalf, keys, [id, end, END_WINDOW_MS, hasLeft ? '1' : '']));
  }

  async read(id: string): Promise<HalfRecord | null> {
    return halfRecordOf(await this.redis.call('HGET', this.#keys.halves, id));
  }

  /** Calls of the script follow one another, so that none of them holds others up, until there are no more, or a page of them. */
  async take(most: number, forMs: number): Promise<TakenHalves> {
    const halves: TakenHalves['halves'][number][] = [];
    for (;;) {
      const wanted = Math.min(most - halves.length, MOST_TAKEN);
      const { nextMs, halves: taken } = await this.#takeSome(wanted, forMs);
      halves.push(...taken);
      if (nextMs !== 0 || taken.length < wanted || halves.length >= most) return { nextMs, halves };
    }
  }

  async #takeSome(most: number, forMs: number): Promise<TakenHalves> {
    const { halves, halvesDue, halvesAge } = this.#keys;
    const reply = await this.#control.run(takeHalves, [halves, halvesDue, halvesAge], [most, forMs]);
    const [nextMs, ...taken] = reply as [number, ...string[]];
    const ids = taken.filter((_, index) => index % 2 === 0);
    return { nextMs, halves: ids.map((id, index) => ({ id, text: taken[2 * index + 1]! })) };
  }

  /**
   * @returns false when it is gone, or somebody else has taken it since
   */
  async putOff(id: string, { take, checks, inMs }: PutOff): Promise<boolean> {
    const { halves, halvesDue } = this.#keys;
    const args = [id, take ?? '', checks, inMs ?? ''];
    return (await this.#control.run(putOffHalf, [halves, halvesDue], args)) === 'OK';
  }

  /** Whether one of them is still to be checked. */
  async hasDue(): Promise<boolean> {
    const [, score] = (await this.#control.call('ZRANGE', this.#keys.halvesDue, 0, 0, 'WITHSCORES')) as string[];
    return score !== undefined && score !== 'inf';
  }

  /** Ids of those that are checked no more, the first ones. */
  async givenUp(most: number): Promise<string[]> {
    return (await this.#control.call('ZRANGE', this.#keys.halvesDue, '+inf', '+inf', 'BYSCORE', 'LIMIT', 0, most)) as string[];
  }

  get #control(): RedisConnection {
    return this.#parts.redis.controlFor(this.#keys.log);
  }
}
