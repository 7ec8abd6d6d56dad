import type { RunnableScript } from '../script/script.js';
import type { RedisArgument } from './redis-driver.js';

export type Command = readonly [name: string, ...args: RedisArgument[]];

/** How a command ended: with its reply, or with a {@link RedisFailure} or MillraceError. */
export type Outcome = PromiseSettledResult<unknown>;

/** Is notified of what happens to a connection. */
export interface ConnectionWatcher {
  /** It is ready, for the first time or again. */
  readonly ready: () => void;
  readonly lost: () => void;
  /** A message has come on a channel that was subscribed to. */
  readonly message: (channel: string, text: string) => void;
}

/** The commands of a connection. */
export interface Commands {
  /**
   * @throws RedisFailure
   * @throws MillraceError INVALID_INPUT when an argument is neither text nor a number: ioredis would make several of a list
   */
  call(command: string, ...args: RedisArgument[]): Promise<unknown>;

  /**
   * Runs a script by its digest, and by its text where Redis does not know it (yet, or after SCRIPT FLUSH or a failover).
   *
   * @throws RedisFailure
   * @throws MillraceError INVALID_INPUT as for {@link call}
   */
  run(script: RunnableScript, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown>;

  /**
   * Sends two commands to one server, the second behind the first and over the same connection, as a confirmation of the first
   * needs it. The second waits inside Redis: pairs that come meanwhile share the next one like it. Resolves when both have ended.
   */
  callBoth(first: Command, second: Command): Promise<[Outcome, Outcome]>;
}

/**
 * A way to the server that has some keys, for one purpose. It is made again for ever until it is closed; commands fail at once
 * while it is not there, and none is sent again that may have been executed.
 */
export interface RedisConnection extends Commands {
  readonly name: string;
  readonly isReady: boolean;
  readonly isClosed: boolean;
  /** Grows when the connection is lost, and when it cannot be made: while it stays the same, the same server answers. */
  readonly connectionEpoch: number;
  /** The error of the last attempt to connect; null when that did not fail. */
  readonly lastError: Error | null;

  /** Notifies this watcher from now on, and no other. */
  watch(watcher: ConnectionWatcher): void;

  /**
   * Resolves when messages that SPUBLISH sends to these channels come, until the connection is lost; from the first one on it
   * takes no other commands but PING.
   *
   * @throws RedisFailure
   */
  subscribe(channels: readonly string[]): Promise<void>;

  /** @throws RedisFailure */
  unsubscribe(channels: readonly string[]): Promise<void>;

  /**
   * Resolves true when the connection is ready, false when `signal` aborted or `timeoutMs` passed before. On a closed
   * connection it waits as well, so that a caller that tries again and again does so at the same pace.
   */
  whenReady(timeoutMs: number, signal?: AbortSignal): Promise<boolean>;

  /** Ends the connection at once; a command in flight fails as indeterminate. May be called at any time, and again. */
  close(): void;
}
