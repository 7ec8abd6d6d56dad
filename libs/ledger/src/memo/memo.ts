import { MillraceError, type MemoPort, MOST_STEPS, quote, tooManySteps } from '@millrace/core';
import { loadScript, type RedisConnection, type Topology } from '@millrace/redis';
import { memoKey } from '../keys.js';

const rememberStep = loadScript('./remember-step.lua', import.meta.url);

export interface MemoOptions {
  readonly redis: Pick<Topology, 'publishFor'>;
  /** The first part of every key. */
  readonly prefix: string;
  /** The name of the kind of work: 1 to 400 letters, digits, `.`, `_`, `-` and `:`. */
  readonly scope: string;
  /** How long results are kept since the last one of their work was stored, in milliseconds. Default 7 days. */
  readonly keepMs?: number;
}

const DEFAULT_KEEP_MS = 604_800_000;
const SCOPE = /^[A-Za-z0-9._:-]{1,400}$/;
const STORED = '=';

/** A memo in Redis: one key for each piece of work, made by its first step. */
export class Memo implements MemoPort {
  readonly #redis: Pick<Topology, 'publishFor'>;
  readonly #keyOf: (id: string) => string;
  readonly #keepMs: number;

  /** @throws MillraceError INVALID_OPTIONS */
  constructor({ redis, prefix, scope, keepMs = DEFAULT_KEEP_MS }: MemoOptions) {
    if (!SCOPE.test(scope) || !Number.isSafeInteger(keepMs) || keepMs < 1) {
      throw new MillraceError('INVALID_OPTIONS', `A memo cannot be made with the scope ${quote(scope)} and keepMs ${keepMs}.`);
    }
    this.#redis = redis;
    this.#keyOf = (id) => memoKey(prefix, scope, id);
    this.#keepMs = keepMs;
  }

  /** @throws RedisFailure */
  async read(id: string): Promise<ReadonlyMap<string, string>> {
    const { key, connection } = this.#placeOf(id);
    const pairs = (await connection.call('HGETALL', key)) as string[];
    return new Map(pairs.flatMap((name, at) => (at % 2 === 0 ? [[name, pairs[at + 1]!]] : [])));
  }

  /**
   * @throws MillraceError MEMO_FULL
   * @throws RedisFailure repeat it
   */
  async store(id: string, step: string, result: string): Promise<string> {
    const { key, connection } = this.#placeOf(id);
    const reply = String(await connection.run(rememberStep, [key], [step, result, this.#keepMs, MOST_STEPS]));
    if (!reply.startsWith(STORED)) throw tooManySteps(step);
    return reply.slice(STORED.length);
  }

  forget(id: string): void {
    const { key, connection } = this.#placeOf(id);
    // It expires by itself.
    connection.call('UNLINK', key).catch(() => undefined);
  }

  #placeOf(id: string): { key: string; connection: RedisConnection } {
    const key = this.#keyOf(id);
    return { key, connection: this.#redis.publishFor(key) };
  }
}
