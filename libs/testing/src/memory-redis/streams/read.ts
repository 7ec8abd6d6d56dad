import { type Commands, type Context, reads, writes } from '../command.js';
import { parseInteger } from '../numbers.js';
import { RedisError, type Reply, syntaxError } from '../reply.js';
import { shownEntry } from './entries.js';
import { type EntryId, HIGHEST, LOWEST, parseId, textOfId } from './entry-id.js';
import type { Consumer, Group } from './group.js';
import { type Stream, streamAt } from './stream.js';

const DOLLAR =
  'ERR The $ ID is meaningless in the context of XREADGROUP: you want to read the history of this consumer by specifying a proper ID, ' +
  'or use the > ID to get new messages. The $ ID would just return an empty result set.';

const BRACKET = 'ERR The > ID can be specified only when calling XREADGROUP using the GROUP <group> <consumer> option.';

interface Call {
  readonly name: 'xread' | 'xreadgroup';
  readonly group: string | null;
  readonly consumer: string;
  /** Undefined for all. */
  readonly most: number | undefined;
  readonly isUnpending: boolean;
  readonly blockMs: number | null;
  readonly places: readonly (readonly [key: string, id: string])[];
}

interface Options {
  most: number;
  blockMs: number | null;
  group: [name: string, consumer: string] | null;
  isUnpending: boolean;
  streams: string[];
}

/** How many arguments follow the name of an option. */
const SIZES: Readonly<Record<string, number>> = { BLOCK: 1, COUNT: 1, GROUP: 2, NOACK: 0, STREAMS: 1 };
const OF_GROUPS = ['GROUP', 'NOACK'];

function optionsIn(args: readonly string[], isGroup: boolean): Options {
  const options: Options = { most: 0, blockMs: null, group: null, isUnpending: false, streams: [] };
  for (let i = 0; i < args.length; ) {
    const name = args[i]!.toUpperCase();
    const size = SIZES[name];
    if (size === undefined || i + size >= args.length || (OF_GROUPS.includes(name) && !isGroup)) throw syntaxError();
    if (name === 'STREAMS') return { ...options, streams: args.slice(i + 1) };
    setOption(options, name, args.slice(i + 1));
    i += 1 + size;
  }
  return options;
}

function setOption(options: Options, name: string, values: readonly string[]): void {
  if (name === 'BLOCK') options.blockMs = blockIn(values[0]!);
  else if (name === 'COUNT') options.most = Math.max(0, parseInteger(values[0]!));
  else if (name === 'GROUP') options.group = [values[0]!, values[1]!];
  else options.isUnpending = true;
}

function blockIn(text: string): number {
  const ms = parseInteger(text, 'ERR timeout is not an integer or out of range');
  if (ms < 0) throw new RedisError('ERR timeout is negative');
  return ms;
}

function callOf(name: Call['name'], args: readonly string[]): Call {
  const { most, blockMs, group, isUnpending, streams } = optionsIn(args, name === 'xreadgroup');
  if (streams.length === 0) throw syntaxError();
  if (streams.length % 2 !== 0) {
    throw new RedisError("ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.");
  }
  if (name === 'xreadgroup' && !group) throw new RedisError('ERR Missing GROUP option for XREADGROUP');
  const half = streams.length / 2;
  const places = streams.slice(0, half).map((key, index) => [key, streams[half + index]!] as const);
  return { name, group: group?.[0] ?? null, consumer: group?.[1] ?? '', most: most || undefined, isUnpending, blockMs, places };
}

function read(context: Context, args: string[]): Reply {
  const { places, most } = callOf('xread', args);
  const asked = places.map(([key, id]) => {
    const stream = streamAt(context, key);
    if (id === '>') throw new RedisError(BRACKET);
    return { key, stream, after: id === '$' ? (stream?.lastId ?? HIGHEST) : parseId(id) };
  });
  return listOrNull(asked.map(({ key, stream, after }) => [key, (stream?.entries.after(after, most) ?? []).map(shownEntry)]));
}

function listOrNull(found: [key: string, entries: Reply[]][]): Reply {
  const filled = found.filter(([, entries]) => entries.length > 0);
  return filled.length > 0 ? filled : null;
}

interface Asked {
  readonly key: string;
  readonly stream: Stream;
  readonly group: Group;
  /** Null for new entries. */
  readonly after: EntryId | null;
}

function readGroup(context: Context, args: string[]): Reply {
  const call = callOf('xreadgroup', args);
  const asked = call.places.map(([key, id]): Asked => {
    const stream = streamAt(context, key);
    const group = stream?.groups.get(call.group!);
    if (!stream || !group) {
      throw new RedisError(`NOGROUP No such key '${key}' or consumer group '${call.group}' in XREADGROUP with GROUP option`);
    }
    if (id === '$') throw new RedisError(DOLLAR);
    return { key, stream, group, after: id === '>' ? null : parseId(id) };
  });
  const found: Reply[] = [];
  for (const each of asked) {
    if (each.after === null && (each.stream.entries.last?.id ?? LOWEST) <= each.group.lastId) continue;
    const consumer = each.group.seen(call.consumer, context.nowMs());
    const reader = { consumer, call };
    const entries = each.after === null ? readNew(context, each, reader) : readHistory(context, each, reader);
    if (entries.length > 0 || each.after !== null) found.push([each.key, entries]);
  }
  return found.length > 0 ? found : null;
}

interface Reader {
  readonly consumer: Consumer;
  readonly call: Call;
}

function readNew(context: Context, { stream, group }: Asked, { consumer, call }: Reader): Reply[] {
  const entries = stream.entries.after(group.lastId, call.most);
  for (const { id } of entries) {
    stream.delivered(group, id);
    if (!call.isUnpending) group.give(id, consumer, context.nowMs());
  }
  return entries.map(shownEntry);
}

function readHistory(context: Context, { stream, after }: Asked, { consumer, call }: Reader): Reply[] {
  return consumer.pending.after(after!, call.most).map((pending) => {
    const entry = stream.entries.find(pending.id);
    if (!entry) return [textOfId(pending.id), null];
    pending.deliveredAt = context.nowMs();
    pending.deliveries += 1;
    return shownEntry(entry);
  });
}

/** Keys that a reader waits for when its read finds nothing, and how long, 0 for ever; null when it does not wait. */
export interface Wait {
  readonly keys: readonly string[];
  readonly ms: number;
}

/** @throws RedisError as the read itself */
export function waitOf(command: string, args: readonly string[]): Wait | null {
  const name = command.toLowerCase();
  if (name !== 'xread' && name !== 'xreadgroup') return null;
  const { blockMs, places } = callOf(name, args);
  return blockMs === null ? null : { keys: places.map(([key]) => key), ms: blockMs };
}

export const readCommands: Commands = {
  XREAD: reads(-4, read),
  XREADGROUP: writes(-7, readGroup),
};
