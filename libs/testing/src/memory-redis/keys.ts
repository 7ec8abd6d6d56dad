import { type Commands, type Context, reads, writes } from './command.js';
import { Hash } from './hashes.js';
import type { Value } from './keyspace.js';
import { parseInteger } from './numbers.js';
import { noSuchKey, OK, type Reply, Status, syntaxError, unsupported } from './reply.js';
import { SortedSet } from './sorted-sets.js';
import { Stream } from './streams/stream.js';
import { Text } from './strings.js';

function remove(context: Context, keys: string[]): Reply {
  return keys.filter((key) => {
    const isThere = context.keys.find(key) !== undefined && context.keys.delete(key);
    if (isThere) context.changed(key);
    return isThere;
  }).length;
}

function expire(context: Context, [key, text, ...options]: string[]): Reply {
  if (options.length > 0) throw unsupported('options of PEXPIRE');
  const life = parseInteger(text!);
  if (context.keys.find(key!) === undefined) return 0;
  if (life > 0) context.keys.endAt(key!, context.nowMs() + life);
  else remove(context, [key!]);
  return 1;
}

function lifeLeft(context: Context, key: string): Reply {
  if (context.keys.find(key) === undefined) return -2;
  const end = context.keys.endOf(key);
  return end === undefined ? -1 : Math.max(0, end - context.nowMs());
}

function rename(context: Context, [from, to]: string[]): Reply {
  const value = context.keys.find(from!);
  if (value === undefined) throw noSuchKey();
  const end = context.keys.endOf(from!);
  context.keys.delete(from!);
  context.keys.put(to!, value);
  if (end !== undefined) context.keys.endAt(to!, end);
  context.changed(from!);
  context.changed(to!);
  return OK;
}

/** Bytes that Redis uses for a key and for each item, about: enough for limits to take effect. */
const PER_KEY = 64;
const PER_ITEM = 16;

function usage(value: Value): number {
  if (value instanceof Text) return value.length;
  if (value instanceof Hash) return sum([...value.fields].map(([field, text]) => field.length + text.length + PER_ITEM));
  if (value instanceof SortedSet) return sum([...value.scores.keys()].map((member) => member.length + PER_ITEM));
  return value instanceof Stream ? sum(value.entries.items.map(({ fields }) => fields.join('').length + PER_ITEM)) : 0;
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, each) => total + each, 0);
}

function memory(context: Context, [name, key, ...options]: string[]): Reply {
  if (name!.toUpperCase() !== 'USAGE') throw unsupported(`MEMORY ${name}`);
  if (key === undefined || (options.length > 0 && (options.length !== 2 || options[0]!.toUpperCase() !== 'SAMPLES'))) throw syntaxError();
  const value = context.keys.find(key);
  return value ? PER_KEY + key.length + usage(value) : null;
}

export const keyCommands: Commands = {
  DEL: writes(-2, remove),
  UNLINK: writes(-2, remove),
  EXISTS: reads(-2, (context, keys) => keys.filter((key) => context.keys.find(key) !== undefined).length),
  TYPE: reads(2, (context, [key]) => new Status(context.keys.find(key!)?.type ?? 'none')),
  PEXPIRE: writes(-3, expire),
  PTTL: reads(2, (context, [key]) => lifeLeft(context, key!)),
  RENAME: writes(3, rename),
  MEMORY: reads(-2, memory),
};
