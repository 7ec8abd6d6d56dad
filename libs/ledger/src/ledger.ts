import { assertEntryId, assertEntryWord, type Begun, type LedgerCounters, type LedgerPort } from '@millrace/core';
import { loadScript, type RedisConnection, RedisFailure } from '@millrace/redis';
import { randomBytes } from 'node:crypto';
import { ledgerKey } from './keys.js';
import { DoubtfulBegins } from './doubtful-begins.js';
import { Holders } from './holders.js';
import { BeginCall, type BeginParts, type Counting, TokenCall } from './ledger-call.js';
import { assertLedgerOptions, LEDGER_DEFAULTS, type LedgerOptions } from './ledger-options.js';
import { TickBatches } from './tick-batches.js';

const beginEntries = loadScript('./begin-entries.lua', import.meta.url);
const completeEntries = loadScript('./complete-entries.lua', import.meta.url);
const releaseEntries = loadScript('./release-entries.lua', import.meta.url);

/**
 * A ledger in Redis. An entry is absent, in progress, or done:
 *
 * | from | trigger | to |
 * |---|---|---|
 * | absent | `begin` | in progress, under a new token |
 * | in progress | `complete` with its token | done, for `keepMs` |
 * | in progress | `release` with its token | absent |
 * | in progress | `begin`, when its holder is known to have left or died | in progress, under a new token |
 * | in progress, done | `keepMs` have passed | absent |
 *
 * The presence of the holder alone decides that it died; its first observer needs a lease to know. A call that is rejected with a
 * retryable error may be repeated: `complete` then answers as if it had not been sent before, and an entry whose begin was not
 * answered is released behind it, so that a repetition is `busy` for a moment at the most.
 */
export class Ledger implements LedgerPort {
  readonly #options: LedgerOptions;
  readonly #maxResultBytes: number;
  readonly #holders: Holders;
  readonly #doubts: DoubtfulBegins;
  readonly #begins: TickBatches;
  readonly #completions: TickBatches;
  readonly #releases = new TickBatches(releaseEntries, []);
  readonly #beginParts: BeginParts;
  readonly #counters: Counting = {
    begun: 0, takenOver: 0, busy: 0, repeated: 0, completed: 0, tooLarge: 0, fenced: 0, released: 0, failed: 0,
  };
  /** No other ledger begins its tokens so. */
  readonly #tokenStart = randomBytes(9).toString('base64url');
  #tokens = 0;

  /** @throws MillraceError INVALID_OPTIONS */
  constructor(options: LedgerOptions) {
    assertLedgerOptions(options);
    const { keepMs = LEDGER_DEFAULTS.keepMs, maxResultBytes = LEDGER_DEFAULTS.maxResultBytes } = options;
    this.#options = options;
    this.#maxResultBytes = maxResultBytes;
    this.#holders = new Holders(options.presence);
    this.#doubts = new DoubtfulBegins(keepMs);
    this.#begins = new TickBatches(beginEntries, [keepMs]);
    this.#completions = new TickBatches(completeEntries, [keepMs]);
    this.#beginParts = {
      counters: this.#counters,
      isGone: (holder) => this.#holders.isGone(holder),
      send: (call) => this.#begins.add(call.connection, call),
      doubtful: (call, error) => this.#doubtful(call, error),
    };
  }

  get counters(): LedgerCounters {
    return this.#counters;
  }

  /**
   * @throws MillraceError INVALID_INPUT the id or the holder cannot stand in an entry
   * @throws RedisFailure it is not known whether the entry was begun when its kind is `indeterminate`
   */
  begin(id: string, holder: string): Promise<Begun> {
    return new Promise((resolve, reject) => {
      assertEntryWord('holder', holder);
      const { key, connection } = this.#placeOf(id);
      this.#tokens += 1;
      const token = `${this.#tokenStart}.${this.#tokens.toString(36)}`;
      this.#begins.add(connection, new BeginCall(this.#beginParts, { connection, key, token, holder }, { resolve, reject }));
    });
  }

  /**
   * @throws MillraceError INVALID_INPUT
   * @throws RedisFailure repeat it with the same token
   */
  complete(id: string, token: string, result: string): Promise<boolean> {
    return new Promise((resolve, reject) => {
      assertEntryWord('token', token);
      const { key, connection } = this.#placeOf(id);
      const isTooLarge = this.#isTooLarge(result);
      if (isTooLarge) this.#counters.tooLarge += 1;
      const args = isTooLarge ? [token, 't', ''] : [token, 'd', result];
      const call = { key, args, done: 'completed', refused: 'fenced' } as const;
      this.#completions.add(connection, new TokenCall(this.#counters, call, { resolve, reject }));
    });
  }

  /**
   * @throws MillraceError INVALID_INPUT
   * @throws RedisFailure repeat it with the same token
   */
  release(id: string, token: string): Promise<void> {
    return new Promise((resolve, reject) => {
      assertEntryWord('token', token);
      const { key, connection } = this.#placeOf(id);
      const call = { key, args: [token], done: 'released', refused: null } as const;
      this.#releases.add(connection, new TokenCall(this.#counters, call, { resolve: () => resolve(), reject }));
    });
  }

  /** Ends all that goes on in the background. Entries that this process has begun stay as they are. */
  async stop(): Promise<void> {
    this.#holders.stop();
    await this.#doubts.stop();
  }

  #placeOf(id: string): { key: string; connection: RedisConnection } {
    assertEntryId(id);
    const key = ledgerKey(this.#options.prefix, this.#options.scope, id);
    return { key, connection: this.#options.redis.publishFor(key) };
  }

  /** No character takes more than three bytes for each unit of its length. */
  #isTooLarge(result: string): boolean {
    if (result.length * 3 <= this.#maxResultBytes) return false;
    return result.length > this.#maxResultBytes || Buffer.byteLength(result) > this.#maxResultBytes;
  }

  #doubtful({ connection, key, token }: BeginCall, error: Error): void {
    if (error instanceof RedisFailure && !UNDONE.has(error.kind)) this.#doubts.add(connection, key, token);
  }
}

/** Failures after which nothing has happened. */
const UNDONE: ReadonlySet<RedisFailure['kind']> = new Set(['unsent', 'back-pressure', 'unavailable', 'state-lost', 'fatal']);
