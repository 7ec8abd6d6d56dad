import { RedisFailure } from './redis-failure.js';
import type { RedisConnection } from './redis-connection.js';

/** Commands that a server may have or lack, and the release of Redis that brought each. */
const COMMANDS = [
  /** 7.2 */
  'waitaof',
  /** 8.2 */
  'xackdel',
  /** 8.8 */
  'xnack',
] as const;

/** Options of commands. */
const OPTIONS = [
  /** 8.4 */
  'xreadgroup-claim',
] as const;

/** All that a server is asked for. */
export const CAPABILITIES = [...COMMANDS, ...OPTIONS] as const;

export type Capability = (typeof CAPABILITIES)[number];

/**
 * Asks the server which of them it has: its version does not tell, as every Valkey says that it is Redis 7.2.4. It takes one
 * round trip. Where COMMAND is not permitted, or not there, it takes another, and options count as absent.
 *
 * @throws RedisFailure when the connection fails
 */
export async function readCapabilities(connection: RedisConnection): Promise<ReadonlySet<Capability>> {
  try {
    const [commands, [, claimable]] = await Promise.all([
      connection.call('COMMAND', 'INFO', ...COMMANDS) as Promise<readonly unknown[]>,
      connection.call('COMMAND', 'DOCS', 'xreadgroup') as Promise<readonly unknown[]>,
    ]);
    const options = names(claimable).includes('CLAIM') ? OPTIONS : [];
    return new Set([...COMMANDS.filter((_, index) => Array.isArray(commands[index])), ...options]);
  } catch (thrown) {
    if (isOfConnection(thrown)) throw thrown;
    return new Set(await knownCommands(connection));
  }
}

/** Redis counts the arguments of a command that it knows before it looks at permissions: nothing runs, and none is needed. */
async function knownCommands(connection: RedisConnection): Promise<Capability[]> {
  const known = await Promise.all(COMMANDS.map((command) => isKnown(connection, command)));
  return COMMANDS.filter((_, index) => known[index]);
}

async function isKnown(connection: RedisConnection, command: string): Promise<boolean> {
  try {
    await connection.call(command);
    return false;
  } catch (thrown) {
    if (isOfConnection(thrown)) throw thrown;
    return thrown instanceof RedisFailure && thrown.message.includes('wrong number of arguments');
  }
}

function isOfConnection(thrown: unknown): boolean {
  return !(thrown instanceof RedisFailure) || ['unsent', 'indeterminate', 'unavailable'].includes(thrown.kind);
}

/** All words in a reply, at any depth. */
function names(reply: unknown): unknown[] {
  return Array.isArray(reply) ? reply.flatMap(names) : [reply];
}
