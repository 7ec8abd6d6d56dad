import type { RedisConnection } from '@millrace/redis';
import type { ShardKeys } from './keys.js';

/** One part of a ledger, with the way to it. */
export class LedgerShard {
  /** In the order in which the scripts take them. */
  readonly keys: readonly string[];
  readonly #redis: { publishFor(key: string): RedisConnection };

  constructor({ progress, done }: ShardKeys, redis: { publishFor(key: string): RedisConnection }) {
    this.keys = [progress, ...done];
    this.#redis = redis;
  }

  get connection(): RedisConnection {
    return this.#redis.publishFor(this.keys[0]!);
  }
}

/** An entry of a ledger, and the part that it is in. */
export interface EntryPlace {
  readonly shard: LedgerShard;
  readonly id: string;
}
