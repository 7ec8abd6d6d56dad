import { readdirSync } from 'node:fs';
import { expect } from '@jest/globals';
import { loadScript, type RedisArgument, type RedisConnection, type RunnableScript } from '@millrace/redis';
import { MemoryRedis } from '@millrace/testing';
import { createHash } from 'node:crypto';
import { dataOf } from './data.js';

const FOLDER = new URL('../../src/scripts/', import.meta.url);

/** All scripts. */
export const SCRIPTS = readdirSync(FOLDER).filter((file) => file.endsWith('.lua')).map((file) => file.replace('.lua', ''));

/** A hash with the time of both: seconds, microseconds, and milliseconds. The clocks of two servers never agree. */
const CLOCK = 'clock';
const scripts = new Map(SCRIPTS.map((name) => [name, byClock(loadScript(`../../src/scripts/${name}.lua`, import.meta.url))]));

/** The script with that time in place of its server's. */
function byClock({ name, source }: RunnableScript): RunnableScript {
  const timed = source
    .replaceAll("redis.call('TIME')", `redis.call('HMGET', '${CLOCK}', 's', 'us')`)
    .replace(/('XADD', [\w.]+), '\*'/g, `$1, redis.call('HGET', '${CLOCK}', 'ms') .. '-*'`);
  return { name, source: timed, sha: createHash('sha1').update(timed).digest('hex') };
}

/** A Redis server and one in memory, which run the same scripts and must do the same. */
export class Twin {
  /** How often each script has run without an error. */
  readonly runs = new Map<string, number>();
  readonly #real: RedisConnection;
  #memory = fresh();
  #now = 0;

  constructor(real: RedisConnection) {
    this.#real = real;
  }

  get now(): number {
    return this.#now;
  }

  async empty(): Promise<void> {
    await this.#real.call('CONFIG', 'SET', 'maxmemory', 0);
    await this.#real.call('FLUSHALL');
    this.#memory = fresh();
    await this.setTime(1_800_000_000_000);
  }

  async setTime(now: number): Promise<void> {
    this.#now = now;
    await this.call('HSET', CLOCK, 's', Math.floor(now / 1_000), 'us', (now % 1_000) * 1_000 + 7, 'ms', now);
  }

  /** Makes both full, or gives them room again. */
  async fill(isFull: boolean): Promise<void> {
    await this.#real.call('CONFIG', 'SET', 'maxmemory', isFull ? 1 : 0);
    this.#memory.isFull = isFull;
  }

  /** The answer of the one in memory, to choose the next step by; null for an error. */
  peek(command: string, ...args: RedisArgument[]): unknown {
    try {
      return this.#memory.execute(command, ...args);
    } catch {
      return null;
    }
  }

  call(command: string, ...args: RedisArgument[]): Promise<unknown> {
    const real = (): Promise<unknown> => this.#real.call(command, ...args);
    return this.#both(command, real, () => this.#memory.execute(command, ...args));
  }

  async run(name: string, keys: readonly string[], args: readonly RedisArgument[]): Promise<unknown> {
    const script = scripts.get(name)!;
    const real = (): Promise<unknown> => this.#real.run(script, keys, args);
    const reply = await this.#both(`${name} ${args.join(' ')}`, real, () => {
      return this.#memory.execute('EVAL', script.source, keys.length, ...keys, ...args);
    });
    if (reply !== null) this.runs.set(name, (this.runs.get(name) ?? 0) + 1);
    return reply;
  }

  async expectSameData(): Promise<void> {
    const memory = await dataOf(async (command, ...args) => this.#memory.execute(command, ...args), this.#memory.keys());
    const keys = (await this.#real.call('KEYS', '*')) as string[];
    expect(memory).toEqual(await dataOf((command, ...args) => this.#real.call(command, ...args), keys));
  }

  /** @returns the reply of both, null for an error */
  async #both(what: string, real: () => Promise<unknown>, memory: () => unknown): Promise<unknown> {
    const [one, other] = [await outcomeOf(real), await outcomeOf(async () => memory())];
    expect({ what, ...other }).toEqual({ what, ...one });
    return one.reply;
  }
}

function fresh(): MemoryRedis {
  return new MemoryRedis({ nowMs: () => Date.now() });
}

interface Outcome {
  readonly reply: unknown;
  readonly error: string | null;
}

/** The driver wraps the words of Redis in its own, and ends no text with a point. */
async function outcomeOf(work: () => Promise<unknown>): Promise<Outcome> {
  try {
    return { reply: await work(), error: null };
  } catch (error) {
    const { message, cause } = error as Error;
    return { reply: null, error: unnamed(cause instanceof Error ? cause.message : message).replace(/\.$/, '') };
  }
}

/** Lua names the variable whose value does not fit; Lua in memory tells its type alone. */
function unnamed(text: string): string {
  return text.replace(/(?:local|upvalue|field|global) '[^']*' \((a \w+ value)\)/, '$1');
}
