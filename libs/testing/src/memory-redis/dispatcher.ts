import { bitmapCommands } from './bitmaps.js';
import type { Command, Commands, Context } from './command.js';
import { hashCommands } from './hashes.js';
import { keyCommands } from './keys.js';
import { RedisError, type Reply, wrongArity } from './reply.js';
import { serverCommands } from './server.js';
import { sortedSetCommands } from './sorted-sets.js';
import { entryCommands } from './streams/entries.js';
import { groupCommands, groupSubcommand } from './streams/groups.js';
import { infoCommands } from './streams/info.js';
import { pendingCommands } from './streams/pending.js';
import { readCommands } from './streams/read.js';
import { stringCommands } from './strings.js';

const commands: Commands = {
  ...keyCommands, ...stringCommands, ...bitmapCommands, ...hashCommands, ...sortedSetCommands, ...serverCommands,
  ...entryCommands, ...groupCommands, ...infoCommands, ...pendingCommands, ...readCommands,
};
const byName = new Map(Object.entries(commands));

export function full(): RedisError {
  return new RedisError("OOM command not allowed when used memory > 'maxmemory'.");
}

/** The command of a name in any case. */
export function commandOf(name: string): Command | undefined {
  return byName.get(name) ?? byName.get(name.toUpperCase());
}

export function fits({ arity }: Command, args: readonly string[]): boolean {
  return arity > 0 ? args.length + 1 === arity : args.length + 1 >= -arity;
}

interface Call {
  readonly command: Command;
  readonly name: string;
  readonly args: readonly string[];
}

/** @throws RedisError where a full Redis does not take the command */
export function assertRoom(context: Context, { command, name, args }: Call): void {
  if (!context.isFull()) return;
  const { grows } = name.toUpperCase() === 'XGROUP' ? groupSubcommand(args[0]!) : command;
  if (grows) throw full();
}

/** @throws RedisError */
export function dispatch(context: Context, name: string, args: string[]): Reply {
  const command = commandOf(name);
  if (!command) {
    const shown = args.map((arg) => `'${arg.slice(0, 128)}' `).join('');
    throw new RedisError(`ERR unknown command '${name.slice(0, 128)}', with args beginning with: ${shown}`);
  }
  if (!fits(command, args)) throw wrongArity(name);
  assertRoom(context, { command, name, args });
  return command.run(context, args);
}
