import { type Command, type Commands, type Context, grows, writes } from '../command.js';
import { parseInteger } from '../numbers.js';
import { OK, RedisError, type Reply, syntaxError, wrongArity } from '../reply.js';
import { type EntryId, LOWEST, parseId } from './entry-id.js';
import { Group } from './group.js';
import { noGroup, Stream, streamAt } from './stream.js';

const NO_KEY =
  'ERR The XGROUP subcommand requires the key to exist. Note that for CREATE you may want to use the MKSTREAM option to create an ' +
  'empty stream automatically.';

function streamOf(context: Context, key: string): Stream {
  const stream = streamAt(context, key);
  if (!stream) throw new RedisError(NO_KEY);
  return stream;
}

function groupIn(context: Context, key: string, name: string): Group {
  const group = streamOf(context, key).groups.get(name);
  if (!group) throw noGroup(key, name);
  return group;
}

function positionIn(stream: Stream | undefined, text: string): EntryId {
  return text === '$' ? (stream?.lastId ?? LOWEST) : parseId(text);
}

function readIn(text: string): number | null {
  const count = parseInteger(text);
  if (count < -1) throw new RedisError('ERR value for ENTRIESREAD must be positive or -1');
  return count < 0 ? null : count;
}

function create(context: Context, [key, name, position, ...options]: string[]): Reply {
  let [isMaking, entriesRead]: [boolean, number | null] = [false, null];
  for (let i = 0; i < options.length; i += 1) {
    const option = options[i]!.toUpperCase();
    if (option === 'MKSTREAM') isMaking = true;
    else if (option === 'ENTRIESREAD' && i + 1 < options.length) entriesRead = readIn(options[(i += 1)]!);
    else throw new RedisError("ERR unknown subcommand or wrong number of arguments for 'CREATE'. Try XGROUP HELP.");
  }
  const known = streamAt(context, key!);
  if (!known && !isMaking) throw new RedisError(NO_KEY);
  const id = positionIn(known, position!);
  const { groups } = known ?? context.keys.make(key!, Stream);
  if (groups.has(name!)) throw new RedisError('BUSYGROUP Consumer Group name already exists');
  groups.set(name!, new Group(name!, id, entriesRead));
  return OK;
}

function destroy(context: Context, [key, name]: string[]): Reply {
  const isThere = streamOf(context, key!).groups.delete(name!);
  if (isThere) context.changed(key!);
  return isThere ? 1 : 0;
}

function setPosition(context: Context, [key, name, position, ...options]: string[]): Reply {
  if (options.length > 0 && (options.length !== 2 || options[0]!.toUpperCase() !== 'ENTRIESREAD')) throw syntaxError();
  const group = groupIn(context, key!, name!);
  group.lastId = positionIn(streamAt(context, key!), position!);
  group.entriesRead = options.length === 0 ? null : readIn(options[1]!);
  return OK;
}

function addConsumer(context: Context, [key, name, consumer]: string[]): Reply {
  const group = groupIn(context, key!, name!);
  if (group.consumer(consumer!)) return 0;
  group.seen(consumer!, context.nowMs());
  return 1;
}

function removeConsumer(context: Context, [key, name, consumer]: string[]): Reply {
  const group = groupIn(context, key!, name!);
  const known = group.consumer(consumer!);
  if (!known) return 0;
  const { size } = known.pending;
  group.forget(known);
  return size;
}

/** Numbers of arguments as without the command's own name. */
const subcommands: Commands = {
  CREATE: grows(-4, create),
  SETID: writes(-4, setPosition),
  DESTROY: writes(3, destroy),
  CREATECONSUMER: grows(4, addConsumer),
  DELCONSUMER: writes(4, removeConsumer),
};

/** Which command is meant, as a full Redis does not refuse all of them. */
export function groupSubcommand(name: string): Command {
  const found = subcommands[name.toUpperCase()];
  if (!found) throw new RedisError(`ERR unknown subcommand '${name}'. Try XGROUP HELP.`);
  return found;
}

function run(context: Context, [name, ...args]: string[]): Reply {
  const { arity, run: runIt } = groupSubcommand(name!);
  const given = args.length + 1;
  if (arity > 0 ? given !== arity : given < -arity) throw wrongArity(`xgroup|${name}`);
  return runIt(context, args);
}

export const groupCommands: Commands = { XGROUP: writes(-2, run) };
