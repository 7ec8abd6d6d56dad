import { type Commands, type Context, grows, reads, writes } from './command.js';
import type { Value } from './keyspace.js';
import { integerIn, parseInteger } from './numbers.js';
import { RedisError, type Reply, syntaxError, wrongArity } from './reply.js';

export class Hash implements Value {
  readonly type = 'hash';
  readonly fields = new Map<string, string>();
}

function find(context: Context, key: string): Hash | undefined {
  return context.keys.get(key, Hash);
}

function set(context: Context, [key, ...pairs]: string[]): Reply {
  if (pairs.length % 2 !== 0) throw wrongArity('hset');
  const { fields } = context.keys.make(key!, Hash);
  const before = fields.size;
  for (let i = 0; i < pairs.length; i += 2) fields.set(pairs[i]!, pairs[i + 1]!);
  return fields.size - before;
}

function setNew(context: Context, [key, field, value]: string[]): Reply {
  if (find(context, key!)?.fields.has(field!)) return 0;
  context.keys.make(key!, Hash).fields.set(field!, value!);
  return 1;
}

function remove(context: Context, [key, ...names]: string[]): Reply {
  const hash = find(context, key!);
  if (!hash) return 0;
  const count = names.filter((name) => hash.fields.delete(name)).length;
  if (hash.fields.size === 0) context.keys.delete(key!);
  return count;
}

const MOST = 2n ** 63n;

function increase(context: Context, [key, field, by]: string[]): Reply {
  const step = parseInteger(by!);
  const known = find(context, key!)?.fields.get(field!) ?? '0';
  const before = integerIn(known);
  if (before === null) throw new RedisError('ERR hash value is not an integer');
  const isSafe = [before, step, before + step].every(Number.isSafeInteger);
  const sum = isSafe ? String(before + step) : exactSum(known, by!);
  context.keys.make(key!, Hash).fields.set(field!, sum);
  return Number(sum);
}

function exactSum(one: string, other: string): string {
  const sum = BigInt(one) + BigInt(other);
  if (sum < -MOST || sum >= MOST) throw new RedisError('ERR increment or decrement would overflow');
  return String(sum);
}

function random(context: Context, [key, countText, ...options]: string[]): Reply {
  const count = countText === undefined ? null : parseInteger(countText);
  const hasValues = options[0]?.toUpperCase() === 'WITHVALUES';
  if (options.length > (hasValues ? 1 : 0)) throw syntaxError();
  const fields = find(context, key!)?.fields ?? new Map<string, string>();
  const names = [...fields.keys()];
  const pick = (): string => names[Math.floor(context.random() * names.length)]!;
  if (count === null) return names.length === 0 ? null : pick();
  if (names.length === 0) return [];
  const chosen = count < 0 ? Array.from({ length: -count }, pick) : sample(names, count, context.random);
  return hasValues ? chosen.flatMap((name) => [name, fields.get(name)!]) : chosen;
}

/** So many different ones, in the order of the hash when all are wanted. */
function sample(names: string[], count: number, random: () => number): string[] {
  if (count >= names.length) return names;
  for (let i = 0; i < count; i += 1) {
    const other = i + Math.floor(random() * (names.length - i));
    [names[i], names[other]] = [names[other]!, names[i]!];
  }
  return names.slice(0, count);
}

/** All fields in one page, as Redis has it for a small hash. */
function scan(context: Context, [key, cursor, option, count, ...others]: string[]): Reply {
  if (!/^\d+$/.test(cursor!)) throw new RedisError('ERR invalid cursor');
  const hash = find(context, key!);
  if (!hash) return ['0', []];
  const hasCount = option?.toUpperCase() === 'COUNT' && count !== undefined && others.length === 0;
  if (option !== undefined && !hasCount) throw syntaxError();
  if (hasCount && parseInteger(count) < 1) throw syntaxError();
  return ['0', [...hash.fields].flat()];
}

function valueOf(context: Context, key: string, field: string): string | null {
  return find(context, key)?.fields.get(field) ?? null;
}

export const hashCommands: Commands = {
  HSET: grows(-4, set),
  HSETNX: grows(4, setNew),
  HINCRBY: grows(4, increase),
  HDEL: writes(-3, remove),
  HGET: reads(3, (context, [key, field]) => valueOf(context, key!, field!)),
  HMGET: reads(-3, (context, [key, ...names]) => {
    const fields = find(context, key!)?.fields;
    return names.map((name) => fields?.get(name) ?? null);
  }),
  HKEYS: reads(2, (context, [key]) => [...(find(context, key!)?.fields.keys() ?? [])]),
  HVALS: reads(2, (context, [key]) => [...(find(context, key!)?.fields.values() ?? [])]),
  HGETALL: reads(2, (context, [key]) => [...(find(context, key!)?.fields ?? [])].flat()),
  HSCAN: reads(-3, scan),
  HLEN: reads(2, (context, [key]) => find(context, key!)?.fields.size ?? 0),
  HEXISTS: reads(3, (context, [key, field]) => (find(context, key!)?.fields.has(field!) ? 1 : 0)),
  HRANDFIELD: reads(-2, random),
};
