import { emit, errorRecord } from '@millrace/core';
import { Redis } from 'ioredis';
import type { RunnableScript } from '../script/script.js';
import { type Profile, PROFILES } from './profiles.js';
import { redisFailure } from './redis-failure.js';

export type RedisArgument = string | number;

/** One connection to Redis. It reconnects for ever until it is closed; commands fail at once while it is not there. */
export class RedisConnection {
  readonly name: string;
  readonly #redis: Redis;
  #lastError: Error | null = null;

  constructor(url: string, name: string, profile: Profile) {
    this.name = name;
    this.#redis = new Redis(url.replace(/^unix:\/\//, ''), { ...PROFILES[profile], connectionName: name });
    this.#redis.on('error', (error: Error) => {
      this.#lastError = error;
      emit('connection', { name, state: 'failed', error: errorRecord(new Error(error.message)) });
    });
    this.#redis.on('ready', () => emit('connection', { name, state: 'ready' }));
    this.#redis.on('close', () => emit('connection', { name, state: 'lost' }));
  }

  get isReady(): boolean {
    return this.#redis.status === 'ready';
  }

  /** What the last failed attempt to connect said. */
  get lastError(): Error | null {
    return this.#lastError;
  }

  /** Begins to connect; {@link whenReady} tells when it did. */
  connect(): void {
    this.#redis.connect().catch((error: unknown) => {
      this.#lastError = error instanceof Error ? error : new Error(String(error));
    });
  }

  /** @throws RedisFailure */
  async call(command: string, ...args: RedisArgument[]): Promise<unknown> {
    try {
      return await this.#redis.call(command, ...args);
    } catch (error) {
      throw redisFailure(error, command);
    }
  }

  /**
   * Runs a script by its digest, and by its text where Redis does not know it (yet, or after SCRIPT FLUSH).
   *
   * @throws RedisFailure
   */
  async run(script: RunnableScript, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown> {
    try {
      return await this.#redis.call('EVALSHA', script.sha, keys.length, ...keys, ...args);
    } catch (error) {
      if (!(error instanceof Error && error.message.startsWith('NOSCRIPT'))) throw redisFailure(error, script.name);
      return this.#eval(script, keys, args);
    }
  }

  async #eval(script: RunnableScript, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown> {
    try {
      return await this.#redis.call('EVAL', script.source, keys.length, ...keys, ...args);
    } catch (error) {
      throw redisFailure(error, script.name);
    }
  }

  /** Resolves true when the connection is ready, false when `signal` aborted or `timeoutMs` passed before. */
  async whenReady(timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    if (this.isReady) return true;
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#redis.off('ready', done);
        signal?.removeEventListener('abort', done);
        resolve(this.isReady);
      };
      const timer = setTimeout(done, timeoutMs);
      this.#redis.on('ready', done);
      signal?.addEventListener('abort', done);
      if (signal?.aborted) done();
    });
  }

  /** Ends the connection at once; a command in flight fails as indeterminate. */
  close(): void {
    this.#redis.disconnect();
  }
}
