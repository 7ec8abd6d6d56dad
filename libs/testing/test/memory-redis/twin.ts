import { messageOf } from '@millrace/core';
import { Redis } from 'ioredis';
import { MemoryRedis, type MemoryReply } from '../../src/memory-redis/memory-redis.js';

export type Command = readonly [name: string, ...args: (string | number)[]];
export type Outcome = { readonly reply: unknown } | { readonly error: string };

/** A Redis server and one in memory, which are asked the same. */
export class Twin {
  readonly real: Redis;
  memory = freshMemory();

  constructor(url: string) {
    this.real = new Redis(url, { protocol: 2 });
  }

  /** Forgets all data. */
  async empty(): Promise<void> {
    await this.real.call('FLUSHALL');
    this.memory = freshMemory();
  }

  /** The outcomes of both, in the order of the commands. */
  async ask(commands: readonly Command[]): Promise<{ real: Outcome[]; memory: Outcome[] }> {
    const call = ([name, ...args]: Command): Promise<unknown> => this.real.call(name, ...args);
    const real = await Promise.all(commands.map((command) => outcomeOf(command, () => call(command))));
    const memory = commands.map((command) => memoryOutcome(this.memory, command));
    return { real, memory };
  }

  close(): void {
    this.real.disconnect();
  }
}

function freshMemory(): MemoryRedis {
  return new MemoryRedis({ nowMs: () => Date.now() });
}

function memoryOutcome(memory: MemoryRedis, command: Command): Outcome {
  const outcome = rawOutcome(memory, command);
  return 'reply' in outcome ? { reply: comparable(command, outcome.reply as MemoryReply) } : outcome;
}

/** With times and random choices as they are. */
export function rawOutcome(memory: MemoryRedis, command: Command): Outcome {
  try {
    return { reply: memory.execute(...command) };
  } catch (error) {
    return { error: shown(error as Error) };
  }
}

/** Redis 7.0 says either of the number behind the highest one of a millisecond, by an earlier error that it has not forgotten. */
function shown(error: Error): string {
  return messageOf(error).replace(/^ERR Elements are too large to be stored$/, TOO_LOW);
}

const TOO_LOW = 'ERR The ID specified in XADD is equal or smaller than the target stream top item';

async function outcomeOf(command: Command, call: () => Promise<unknown>): Promise<Outcome> {
  try {
    return { reply: comparable(command, (await call()) as MemoryReply) };
  } catch (error) {
    return { error: shown(error as Error) };
  }
}

/** Behind these names come numbers that depend on the clock, or on how Redis keeps its data. */
const MASKED = ['idle', 'radix-tree-keys', 'radix-tree-nodes'];

/** The reply without what no two servers have in common: times, and what is chosen at random. */
function comparable([name, , second, start]: Command, reply: MemoryReply): unknown {
  if (!Array.isArray(reply)) return reply;
  if (name === 'XPENDING' && start !== undefined) return reply.map((row) => (row as MemoryReply[]).toSpliced(2, 1));
  if (name === 'XINFO') return masked(reply);
  return name === 'HRANDFIELD' && Number(second) < 100 ? reply.length : reply;
}

function masked(reply: MemoryReply): unknown {
  if (!Array.isArray(reply)) return reply;
  return reply.map((item, index) => (MASKED.includes(String(reply[index - 1])) ? 'masked' : masked(item)));
}
