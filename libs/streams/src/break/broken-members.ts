import type { RedisConnection } from '@millrace/redis';
import { pairs } from '../log/pairs.js';

/** A member of a group that takes no messages, since its handler failed on nearly all. */
export interface BrokenMember {
  readonly member: string;
  /** By the clock of its process. */
  readonly since: Date;
  readonly why: string;
  /** The latest error, as text. */
  readonly error: string;
}

/** As it is stored, by the name of the member; `sinceMs` in Unix milliseconds. */
export interface Broken extends Pick<BrokenMember, 'why' | 'error'> {
  readonly sinceMs: number;
}

/** Much longer than a breaker goes without a look at its record. */
const KEEP_MS = 3_600_000;

/** Members of a group whose breakers are open: each writes its own record, and an operator removes them all to let them go on. */
export class BrokenMembers {
  readonly #redis: RedisConnection;
  readonly #key: string;

  /** @param key that of the group's first partition */
  constructor(redis: RedisConnection, key: string) {
    this.#redis = redis;
    this.#key = key;
  }

  async put(member: string, broken: Broken): Promise<void> {
    await this.#redis.call('HSET', this.#key, member, JSON.stringify(broken));
    await this.#redis.call('PEXPIRE', this.#key, KEEP_MS);
  }

  /** Whether nobody has removed the record of the member. It is kept for as long again. */
  async has(member: string): Promise<boolean> {
    await this.#redis.call('PEXPIRE', this.#key, KEEP_MS);
    return (await this.#redis.call('HEXISTS', this.#key, member)) === 1;
  }

  async remove(member: string): Promise<void> {
    await this.#redis.call('HDEL', this.#key, member);
  }

  /** By the names of the members; those that vanished stay for an hour. */
  async all(): Promise<BrokenMember[]> {
    const stored = pairs((await this.#redis.call('HGETALL', this.#key)) as string[]);
    return stored.map(([member, text]) => brokenMember(member, JSON.parse(text) as Broken)).sort(byName);
  }
}

function brokenMember(member: string, { sinceMs, ...why }: Broken): BrokenMember {
  return { member, since: new Date(sinceMs), ...why };
}

function byName(one: BrokenMember, other: BrokenMember): number {
  return one.member < other.member ? -1 : 1;
}
