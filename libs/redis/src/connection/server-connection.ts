import { asError, emit, errorRecord, messageOf, MillraceError, quote } from '@millrace/core';
import type { RunnableScript } from '../script/script.js';
import type { Command, Commands, ConnectionWatcher, Outcome, RedisConnection } from './redis-connection.js';
import type { RedisArgument, RedisDriver } from './redis-driver.js';
import { SharedWaits } from './shared-waits.js';
import { isOfReplica, RedisFailure, redisFailure, shownText } from './redis-failure.js';

/** A script with the keys that it touches, and its arguments. */
interface ScriptCall {
  readonly script: RunnableScript;
  readonly keys: readonly string[];
  readonly args: readonly RedisArgument[];
}

/** While the address still leads to a replica, a new connection does not help: it is tried no more often than this. */
const LEAVE_EVERY_MS = 1_000;
const REVIVED_AFTER_MS = 50;

/**
 * One connection to one server. It reconnects for ever until it is closed; commands fail at once while it is not there. A
 * connection that stays silent while an answer is due is given up and made again, and so is one to a server that has become
 * a replica: a failover moves the address, but no connection that is open.
 */
export class ServerConnection implements RedisConnection {
  readonly name: string;
  /** In its events. */
  readonly #place: { readonly name: string; readonly node?: string };
  readonly #redis: RedisDriver;
  readonly #waiting = new Set<() => void>();
  readonly #waits = new SharedWaits(([command, ...args]) => this.#call(command, args));
  #watcher: ConnectionWatcher | null = null;
  #lastError: Error | null = null;
  #wasReady = false;
  #isClosed = false;
  #connectionEpoch = 0;
  #isLeaving = false;
  #leftAt = Number.NEGATIVE_INFINITY;

  /**
   * @param driverOf makes the driver; it is given a rule by which an error that Redis replies has the driver connect again
   * @param node of a Cluster to which it leads
   */
  constructor(name: string, driverOf: (reconnectOnError: (error: Error) => boolean) => RedisDriver, node?: string) {
    this.name = name;
    this.#place = node === undefined ? { name } : { name, node };
    this.#redis = driverOf((error) => isOfReplica(error) && this.#mayLeave());
    this.#redis.on('error', (error: unknown) => this.#failed(error));
    this.#redis.on('ready', () => this.#ready());
    this.#redis.on('close', () => this.#lost());
    this.#redis.on('end', () => this.#ended());
    this.#redis.on('smessage', (channel, text) => this.#watcher?.message(channel, text));
    this.#redis.on('moved', () => this.#moved());
  }

  get isReady(): boolean {
    return !this.#isClosed && !this.#isLeaving && this.#redis.status === 'ready';
  }

  get isClosed(): boolean {
    return this.#isClosed;
  }

  get connectionEpoch(): number {
    return this.#connectionEpoch;
  }

  /** The error of the last attempt to connect; null when that did not fail. */
  get lastError(): Error | null {
    return this.#lastError;
  }

  /** Begins to connect; {@link whenReady} waits until it has. */
  connect(): void {
    this.#redis.connect().catch((error: unknown) => this.#remember(error));
  }

  call(command: string, ...args: RedisArgument[]): Promise<unknown> {
    return this.#call(command, args);
  }

  run(script: RunnableScript, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown> {
    return this.#run({ script, keys, args }, false);
  }

  callBoth(first: Command, second: Command): Promise<[Outcome, Outcome]> {
    return this.#waits.both(first, second, nothing);
  }

  /** This node of a Cluster serves what follows, though it is only about to get the slot. */
  get asking(): Commands {
    return {
      call: (command, ...args) => {
        this.#ask();
        return this.#call(command, args);
      },
      run: (script, keys, args) => this.#run({ script, keys, args }, true),
      callBoth: (first, second) => this.#waits.both(first, second, () => this.#ask()),
    };
  }

  async #call(command: string, args: readonly RedisArgument[]): Promise<unknown> {
    this.#assertSendable(command, args);
    try {
      return await this.#redis.call(command, ...args);
    } catch (error) {
      throw redisFailure(error, command);
    }
  }

  async #run({ script, keys, args }: ScriptCall, isAsking: boolean): Promise<unknown> {
    this.#assertSendable(script.name, [...keys, ...args]);
    try {
      if (isAsking) this.#ask();
      return await this.#redis.call('EVALSHA', script.sha, keys.length, ...keys, ...args);
    } catch (error) {
      if (!asError(error).message.startsWith('NOSCRIPT')) throw redisFailure(error, script.name);
      return this.#eval({ script, keys, args }, isAsking);
    }
  }

  async #eval({ script, keys, args }: ScriptCall, isAsking: boolean): Promise<unknown> {
    try {
      if (isAsking) this.#ask();
      return await this.#redis.call('EVAL', script.source, keys.length, ...keys, ...args);
    } catch (error) {
      throw redisFailure(error, script.name);
    }
  }

  /** Holds for the next command on the connection. When it fails, so does that one, and that failure is reported. */
  #ask(): void {
    this.#redis.call('ASKING').catch(nothing);
  }

  watch(watcher: ConnectionWatcher): void {
    this.#watcher = watcher;
  }

  async subscribe(channels: readonly string[]): Promise<readonly string[]> {
    this.#assertSendable('SSUBSCRIBE', channels);
    await this.#redis.ssubscribe(...channels).catch((error: unknown) => raise(error, 'SSUBSCRIBE'));
    return channels;
  }

  async unsubscribe(channels: readonly string[]): Promise<void> {
    this.#assertSendable('SUNSUBSCRIBE', channels);
    await this.#redis.sunsubscribe(...channels).catch((error: unknown) => raise(error, 'SUNSUBSCRIBE'));
  }

  async whenReady(timeoutMs: number, signal?: AbortSignal): Promise<boolean> {
    if (this.isReady || signal?.aborted) return this.isReady;
    return new Promise((resolve) => {
      const done = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(done);
        signal?.removeEventListener('abort', done);
        resolve(this.isReady);
      };
      const timer = setTimeout(done, timeoutMs);
      this.#waiting.add(done);
      signal?.addEventListener('abort', done);
    });
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#redis.disconnect();
    emit('connection', { ...this.#place, state: 'closed' });
  }

  #assertSendable(command: string, args: readonly unknown[]): void {
    const wrong = args.findIndex((arg) => typeof arg !== 'string' && !(typeof arg === 'number' && Number.isFinite(arg)));
    if (wrong >= 0) throw new MillraceError('INVALID_INPUT', `${command}: argument ${wrong + 1} is ${quote(args[wrong])}, not text or a number.`);
    if (this.isReady) return;
    const why = this.#isClosed ? 'it is closed' : (this.#lastError?.message ?? 'it is being made');
    throw new RedisFailure('unsent', `${command} failed: there is no connection to Redis at the moment (${why}).`, this.#lastError ?? undefined);
  }

  #ready(): void {
    if (!this.isReady) return;
    this.#lastError = null;
    this.#wasReady = true;
    emit('connection', { ...this.#place, state: 'ready' });
    for (const done of [...this.#waiting]) done();
    this.#watcher?.ready();
  }

  #mayLeave(): boolean {
    if (performance.now() - this.#leftAt < LEAVE_EVERY_MS) return false;
    this.#leftAt = performance.now();
    this.#isLeaving = true;
    return true;
  }

  #lost(): void {
    this.#connectionEpoch += 1;
    this.#isLeaving = false;
    if (this.#wasReady && !this.#isClosed) emit('connection', { ...this.#place, state: 'lost' });
    this.#wasReady = false;
    this.#watcher?.lost();
  }

  /** ioredis gives up for ever where it was to disconnect while it looked for a server. */
  #ended(): void {
    if (this.#isClosed) return;
    setTimeout(() => {
      if (!this.#isClosed) this.connect();
    }, REVIVED_AFTER_MS);
  }

  /** Nothing tells which channels are missed now: all of them are to be subscribed to again. */
  #moved(): void {
    this.#connectionEpoch += 1;
    this.#watcher?.lost();
    if (this.isReady) this.#watcher?.ready();
  }

  #failed(error: unknown): void {
    this.#remember(error);
    if (this.#isClosed) return;
    emit('connection', { ...this.#place, state: 'failed', error: errorRecord(new Error(shownText(messageOf(asError(error))))) });
  }

  /** Keeps the text of the error and nothing else. An error that only follows from an earlier one does not hide that one. */
  #remember(error: unknown): void {
    const text = shownText(messageOf(asError(error)));
    if (this.#lastError === null || !/isn't writeable|^Connection is closed/.test(text)) this.#lastError = new Error(text);
  }
}

function nothing(): void {
  // There is nothing to do before a command; and when one before it fails, so does the command.
}

function raise(error: unknown, command: string): never {
  throw redisFailure(error, command);
}
