import { crc32 } from 'node:zlib';

/** The parts of a ledger: each is in a slot of its own. */
export const LEDGER_SHARDS = 4;

/** The keys of one part of a ledger. */
export interface ShardKeys {
  /** Hash: id -> token, since when and holder of an entry in progress; `''` -> how far it was looked through for old ones. */
  readonly progress: string;
  /** Hashes: id -> state, token and result of an entry that is done; `''` -> since when it has been the current one. */
  readonly done: readonly [string, string];
}

/** @param scope the name of the ledger: letters, digits, `.`, `_`, `-` and `:` */
export function ledgerKeys(prefix: string, scope: string, shard: number): ShardKeys {
  const base = `${prefix}:{ledger:${scope}:${shard}}`;
  return { progress: `${base}:progress`, done: [`${base}:done:0`, `${base}:done:1`] };
}

/** The part of its ledger that an entry is in: the same in every process, as long as there are as many. */
export function shardOf(id: string): number {
  return crc32(id) % LEDGER_SHARDS;
}

/**
 * Hash: the results of the steps of one piece of work, by their names, in a slot of its own.
 *
 * @param id any text but one with half of a surrogate pair; what a key must not hold is encoded as in a URI
 */
export function memoKey(prefix: string, scope: string, id: string): string {
  return `${prefix}:{memo:${scope}:${PLAIN_ID.test(id) ? id : encodeURIComponent(id)}}`;
}

const PLAIN_ID = /^[\w.-]*$/;
