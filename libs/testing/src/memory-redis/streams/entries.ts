import { type Commands, type Context, grows, reads, writes } from '../command.js';
import { parseInteger } from '../numbers.js';
import { noSuchKey, OK, RedisError, type Reply, syntaxError, unsupported, wrongArity } from '../reply.js';
import { type EntryId, LOWEST, newId, parseId, parseRange, textOfId } from './entry-id.js';
import { type Entry, Stream, streamAt } from './stream.js';

const TOO_LOW = 'ERR The ID specified in XADD is equal or smaller than the target stream top item';
export function shownEntry({ id, fields }: Entry): Reply {
  return [textOfId(id), [...fields]];
}

type Trim = (stream: Stream) => number;

/** Takes `MAXLEN` or `MINID` with its threshold from the front of the arguments. */
function takeTrim(args: string[]): Trim {
  const kind = args.shift()!.toUpperCase();
  if (args[0] === '~') throw unsupported('trimming by about so much');
  if (args[0] === '=') args.shift();
  const limit = args.shift();
  if (limit === undefined) throw syntaxError();
  if (args[0]?.toUpperCase() === 'LIMIT') throw new RedisError('ERR syntax error, LIMIT cannot be used without the special ~ option');
  if (kind === 'MINID') return below(parseId(limit));
  const most = parseInteger(limit);
  if (most < 0) throw new RedisError('ERR The MAXLEN argument must be >= 0.');
  return (stream) => stream.trim(Math.max(0, stream.entries.size - most));
}

function below(least: EntryId): Trim {
  return (stream) => {
    const { items } = stream.entries;
    const kept = items.findIndex(({ id }) => id >= least);
    return stream.trim(kept < 0 ? items.length : kept);
  };
}

interface Addition {
  readonly isMaking: boolean;
  readonly trim: Trim | null;
  readonly id: string;
  readonly fields: readonly string[];
}

function additionIn(args: string[]): Addition {
  let [isMaking, trim]: [boolean, Trim | null] = [true, null];
  for (;;) {
    const option = args[0]?.toUpperCase();
    if (option === 'MAXLEN' || option === 'MINID') trim = takeTrim(args);
    else if (option === 'NOMKSTREAM') isMaking = args.shift() === undefined;
    else break;
  }
  const [id = '', ...fields] = args;
  if (id !== '*' && parseId(id.replace(/-\*$/, '-1')) === LOWEST) {
    throw new RedisError('ERR The ID specified in XADD must be greater than 0-0');
  }
  if (fields.length < 2 || fields.length % 2 !== 0) throw wrongArity('xadd');
  return { isMaking, trim, id, fields };
}

function add(context: Context, [key, ...args]: string[]): Reply {
  const { isMaking, trim, id, fields } = additionIn(args);
  if (!isMaking && !streamAt(context, key!)) return null;
  const stream = context.keys.make(key!, Stream);
  if (stream.isExhausted) throw new RedisError('ERR The stream has exhausted the last possible ID, unable to add more items');
  const given = newId(id, stream.lastId, context.nowMs());
  if (given === null) throw new RedisError(TOO_LOW);
  stream.add(given, fields);
  trim?.(stream);
  context.changed(key!);
  return textOfId(given);
}

function range(context: Context, [key, start, end, ...options]: string[], isReversed: boolean): Reply {
  const ids = isReversed ? parseRange(end!, start!) : parseRange(start!, end!);
  let most = -1;
  for (let i = 0; i < options.length; i += 2) {
    if (options[i]!.toUpperCase() !== 'COUNT' || i + 1 >= options.length) throw syntaxError();
    most = Math.max(0, parseInteger(options[i + 1]!));
  }
  const stream = streamAt(context, key!);
  if (!stream) return [];
  if (most === 0) return null;
  const limit = most < 0 ? undefined : most;
  return (isReversed ? stream.entries.reversed(ids, limit) : stream.entries.range(ids, limit)).map(shownEntry);
}

function remove(context: Context, [key, ...texts]: string[]): Reply {
  const stream = streamAt(context, key!);
  if (!stream) return 0;
  return texts.map(parseId).filter((id) => stream.delete(id)).length;
}

function trimTo(context: Context, [key, ...args]: string[]): Reply {
  if (!/^(?:maxlen|minid)$/i.test(args[0]!)) throw syntaxError();
  const trim = takeTrim(args);
  if (args.length > 0) throw syntaxError();
  const stream = streamAt(context, key!);
  return stream ? trim(stream) : 0;
}

function setId(context: Context, [key, text, ...options]: string[]): Reply {
  if (options.length > 0) throw unsupported('options of XSETID');
  const id = parseId(text!);
  const stream = streamAt(context, key!);
  if (!stream) throw noSuchKey();
  if (id < (stream.entries.last?.id ?? LOWEST)) {
    throw new RedisError('ERR The ID specified in XSETID is smaller than the target stream top item');
  }
  stream.lastId = id;
  return OK;
}

export const entryCommands: Commands = {
  XADD: grows(-5, add),
  XDEL: writes(-3, remove),
  XTRIM: writes(-4, trimTo),
  XSETID: grows(-3, setId),
  XLEN: reads(2, (context, [key]) => streamAt(context, key!)?.entries.size ?? 0),
  XRANGE: reads(-4, (context, args) => range(context, args, false)),
  XREVRANGE: reads(-4, (context, args) => range(context, args, true)),
};
