import { assertEntryId, assertEntryWord, type Begun, type LedgerCounters, type LedgerPort, type LedgerSize, MillraceError } from '@millrace/core';
import { loadScript, RedisFailure } from '@millrace/redis';
import { randomBytes } from 'node:crypto';
import { LEDGER_SHARDS, ledgerKeys, shardOf } from './keys.js';
import { Holders } from './holders.js';
import { BeginCall, type BeginParts, type Counting, TokenCall } from './ledger-call.js';
import { assertLedgerOptions, LEDGER_DEFAULTS, type LedgerOptions } from './ledger-options.js';
import { type EntryPlace, LedgerShard } from './ledger-shard.js';
import { LateReleases } from './late-releases.js';
import { TickBatches } from './tick-batches.js';

const beginEntries = loadScript('./scripts/begin-entries.lua', import.meta.url);
const completeEntries = loadScript('./scripts/complete-entries.lua', import.meta.url);
const releaseEntries = loadScript('./scripts/release-entries.lua', import.meta.url);
const countEntries = loadScript('./scripts/count-entries.lua', import.meta.url);

/**
 * A ledger in Redis. An entry is absent, in progress, or done:
 *
 * | from | trigger | to |
 * |---|---|---|
 * | absent | `begin` | in progress, under a new token |
 * | in progress | `complete` with its token | done, for `keepMs` |
 * | in progress | `release` with its token | absent |
 * | in progress | `begin`, when its holder is known to have left or died | in progress, under a new token |
 * | in progress | `begin`, `workMs` after it was begun | in progress, under a new token |
 * | done | `keepMs` have passed, and up to as long again | absent |
 *
 * The presence of the holder alone decides that it died; its first observer needs a lease to know. A call that is rejected with a
 * retryable error may be repeated: `complete` then answers as if it had not been sent before, and an entry whose begin was not
 * answered is released behind it, so that a repetition is `busy` for a moment at the most.
 */
export class Ledger implements LedgerPort {
  readonly #shards: readonly LedgerShard[];
  readonly #maxResultBytes: number;
  readonly #holders: Holders;
  readonly #begins: TickBatches;
  readonly #completions: TickBatches;
  readonly #releases = new TickBatches(releaseEntries, []);
  readonly #late: LateReleases;
  readonly #beginParts: BeginParts;
  readonly #counters: Counting = {
    begun: 0, takenOver: 0, busy: 0, full: 0, repeated: 0, completed: 0, tooLarge: 0, fenced: 0, released: 0, failed: 0,
  };
  /** No other ledger begins its tokens so. */
  readonly #tokenStart = randomBytes(9).toString('base64url');
  #tokens = 0;

  /** @throws MillraceError INVALID_OPTIONS */
  constructor(options: LedgerOptions) {
    assertLedgerOptions(options);
    const { redis, prefix, scope, keepMs = LEDGER_DEFAULTS.keepMs } = options;
    const { maxResultBytes = LEDGER_DEFAULTS.maxResultBytes, maxEntries = LEDGER_DEFAULTS.maxEntries } = options;
    this.#shards = Array.from({ length: LEDGER_SHARDS }, (_, shard) => new LedgerShard(ledgerKeys(prefix, scope, shard), redis));
    this.#maxResultBytes = maxResultBytes;
    this.#holders = new Holders(options.presence);
    const { workMs = keepMs } = options;
    this.#late = new LateReleases(this.#releases, workMs);
    this.#begins = new TickBatches(beginEntries, [keepMs, Math.ceil(maxEntries / LEDGER_SHARDS), workMs]);
    this.#completions = new TickBatches(completeEntries, [keepMs]);
    this.#beginParts = {
      counters: this.#counters,
      isGone: (holder) => this.#holders.isGone(holder),
      send: (call) => this.#begins.add(call),
      doubtful: ({ place, token }, error) => this.#maybe(place, token, error),
      full: () => full(scope, maxEntries),
    };
  }

  get counters(): LedgerCounters {
    return this.#counters;
  }

  /**
   * @throws MillraceError INVALID_INPUT the id or the holder cannot stand in an entry
   * @throws MillraceError LEDGER_FULL
   * @throws RedisFailure it is not known whether the entry was begun when its kind is `indeterminate`
   */
  begin(id: string, holder: string): Promise<Begun> {
    return new Promise((resolve, reject) => {
      assertEntryWord('holder', holder);
      const place = this.#placeOf(id);
      this.#tokens += 1;
      const token = `${this.#tokenStart}.${this.#tokens.toString(36)}`;
      this.#begins.add(new BeginCall(this.#beginParts, { place, token, holder }, { resolve, reject }));
    });
  }

  /**
   * @throws MillraceError INVALID_INPUT
   * @throws RedisFailure repeat it with the same token
   */
  complete(id: string, token: string, result: string): Promise<boolean> {
    return new Promise((resolve, reject) => {
      assertEntryWord('token', token);
      const place = this.#placeOf(id);
      const isTooLarge = this.#isTooLarge(result);
      if (isTooLarge) this.#counters.tooLarge += 1;
      const args = isTooLarge ? [token, 't', ''] : [token, 'd', result];
      const call = { place, args, done: 'completed', refused: 'fenced' } as const;
      this.#completions.add(new TokenCall(this.#counters, call, { resolve, reject }));
    });
  }

  /**
   * When it fails it is repeated in the background, until it is known to be done.
   *
   * @throws MillraceError INVALID_INPUT
   * @throws RedisFailure
   */
  release(id: string, token: string): Promise<void> {
    return new Promise((resolve, reject) => {
      assertEntryWord('token', token);
      const place = this.#placeOf(id);
      const call = { place, args: [token], done: 'released', refused: null } as const;
      const failed = (error: Error): void => {
        if (error instanceof RedisFailure) this.#late.add(place, token);
        reject(error);
      };
      this.#releases.add(new TokenCall(this.#counters, call, { resolve: () => resolve(), reject: failed }));
    });
  }

  /** Ends all that goes on in the background. Entries that this process has begun stay as they are. */
  async stop(): Promise<void> {
    this.#holders.stop();
    await this.#late.stop();
  }

  /** How many entries there are in the whole ledger, those of other processes included. */
  async size(): Promise<LedgerSize> {
    const counts = await Promise.all(this.#shards.map(({ connection, keys }) => connection.run(countEntries, keys, [])));
    return counts.reduce<LedgerSize>((sum, count) => {
      const [inProgress, done] = count as [number, number];
      return { inProgress: sum.inProgress + inProgress, done: sum.done + done };
    }, { inProgress: 0, done: 0 });
  }

  #placeOf(id: string): EntryPlace {
    assertEntryId(id);
    return { shard: this.#shards[shardOf(id)]!, id };
  }

  /** No character takes more than three bytes for each unit of its length. */
  #isTooLarge(result: string): boolean {
    if (result.length * 3 <= this.#maxResultBytes) return false;
    return result.length > this.#maxResultBytes || Buffer.byteLength(result) > this.#maxResultBytes;
  }

  /** An entry may be in progress that nobody is at work for. */
  #maybe(place: EntryPlace, token: string, error: Error): void {
    if (error instanceof RedisFailure && !UNDONE.has(error.kind)) this.#late.add(place, token);
  }
}

function full(scope: string, maxEntries: number): MillraceError {
  return new MillraceError(
    'LEDGER_FULL',
    `The ledger '${scope}' has no room for another entry: it keeps ${maxEntries} at the most, those in progress and those done. Nothing ` +
      'was begun and nothing is lost: what was to begin waits until older entries are over. Raise maxEntries, or keep entries for a shorter ttl.',
    { retryable: true },
  );
}

/** Failures after which nothing has happened. */
const UNDONE: ReadonlySet<RedisFailure['kind']> = new Set(['unsent', 'back-pressure', 'unavailable', 'state-lost', 'fatal']);
