import { toBytes, toText } from './bytes.js';
import type { Context } from './command.js';
import { dispatch } from './dispatcher.js';
import { Keyspace } from './keyspace.js';
import { type Reply, Status, wrongArity } from './reply.js';
import { Scripts } from './scripts.js';
import { type Wait, waitOf } from './streams/read.js';

/** A reply as ioredis gives it. */
export type MemoryReply = string | number | null | MemoryReply[];

export interface MemoryRedisOptions {
  /** Whole Unix milliseconds. */
  readonly nowMs: () => number;
  /** Whole microseconds of the current millisecond, for TIME. Default 0. */
  readonly microseconds?: () => number;
  /** At least 0, below 1; by it HRANDFIELD chooses. Default: always the first. */
  readonly random?: () => number;
  /** Delivers what is published, and returns to how many. Default: nobody listens. */
  readonly publish?: (channel: string, text: string) => number;
  /** Tells how many listen in a channel. Default: nobody. */
  readonly listeners?: (channel: string) => number;
  /** Is notified of a stream that has new entries, or is gone: whoever waits for it reads again. */
  readonly changed?: (key: string) => void;
}

/**
 * A Redis 7.0 inside the process, as far as Millrace uses one: commands and scripts, with the replies and the errors of Redis. It
 * is synchronous, has no timers, and does the same whenever it is asked the same at the same times.
 */
export class MemoryRedis {
  /** Whether it has reached its `maxmemory`. */
  isFull = false;
  readonly #context: Context;
  readonly #scripts: Scripts;

  constructor(options: MemoryRedisOptions) {
    const { nowMs, microseconds = () => 0, random = () => 0, changed = () => undefined } = options;
    const { publish = () => 0, listeners = () => 0 } = options;
    const time = (): [number, number] => {
      const now = nowMs();
      return [Math.floor(now / 1_000), (now % 1_000) * 1_000 + microseconds()];
    };
    this.#context = {
      keys: new Keyspace(nowMs), nowMs, time, random,
      publish: (channel, text) => publish(toText(channel), toText(text)),
      listeners: (channel) => listeners(toText(channel)),
      changed: (key) => changed(toText(key)),
      isFull: () => this.isFull,
    };
    this.#scripts = new Scripts(this.#context);
  }

  /** @throws Error whose message is the text of an error that Redis sends */
  execute(command: string, ...args: readonly (string | number)[]): MemoryReply {
    return shown(this.#run(command, args.map((arg) => toBytes(String(arg)))));
  }

  /** All keys that there are. */
  keys(): string[] {
    return this.#context.keys.keys().map(toText);
  }

  /** How long a read waits, and for which keys, when it finds nothing; null when it does not wait. Its id `$` is that of now. */
  waitOf(command: string, ...args: readonly (string | number)[]): Wait | null {
    return waitOf(command, args.map(String));
  }

  #run(command: string, args: string[]): Reply {
    switch (command.toUpperCase()) {
      case 'EVALSHA':
        if (args.length < 2) throw wrongArity(command);
        return this.#scripts.evalByDigest(args[0]!, args.slice(1));
      case 'EVAL':
        if (args.length < 2) throw wrongArity(command);
        return this.#scripts.eval(args[0]!, args.slice(1));
      case 'SCRIPT':
        return this.#scripts.manage(args[0] ?? '', args.slice(1));
      default:
        return dispatch(this.#context, command, args);
    }
  }
}

function shown(reply: Reply): MemoryReply {
  if (typeof reply === 'string') return toText(reply);
  if (Array.isArray(reply)) return reply.map(shown);
  return reply instanceof Status ? toText(reply.text) : reply;
}
