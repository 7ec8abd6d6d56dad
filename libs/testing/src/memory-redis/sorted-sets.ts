import { type Commands, type Context, grows, reads, writes } from './command.js';
import type { Value } from './keyspace.js';
import { floatIn, general, parseInteger } from './numbers.js';
import { RedisError, type Reply, syntaxError, unsupported } from './reply.js';
import { SortedList } from './sorted-list.js';

interface Row {
  readonly member: string;
  readonly score: number;
}

function compare(one: Row, other: Row): number {
  if (one.score !== other.score) return one.score - other.score;
  return one.member < other.member ? -1 : one.member > other.member ? 1 : 0;
}

export class SortedSet implements Value {
  readonly type = 'zset';
  readonly scores = new Map<string, number>();
  readonly rows = new SortedList<Row>(compare);

  set(member: string, score: number): void {
    this.remove(member);
    this.scores.set(member, score);
    this.rows.add({ member, score });
  }

  remove(member: string): boolean {
    const score = this.scores.get(member);
    if (score === undefined) return false;
    this.rows.remove({ member, score });
    return this.scores.delete(member);
  }
}

interface Range {
  readonly min: number;
  readonly max: number;
  readonly isAbove: boolean;
  readonly isBelow: boolean;
}

function find(context: Context, key: string): SortedSet | undefined {
  return context.keys.get(key, SortedSet);
}

function rangeOf(min: string, max: string): Range {
  const [isAbove, isBelow] = [min.startsWith('('), max.startsWith('(')];
  const [from, to] = [floatIn(isAbove ? min.slice(1) : min), floatIn(isBelow ? max.slice(1) : max)];
  if (from === null || to === null) throw new RedisError('ERR min or max is not a float');
  return { min: from, max: to, isAbove, isBelow };
}

function rowsIn({ rows }: SortedSet, { min, max, isAbove, isBelow }: Range): Row[] {
  const from = rows.search(({ score }) => (isAbove ? score > min : score >= min));
  const to = rows.search(({ score }) => (isBelow ? score >= max : score > max));
  return rows.items.slice(from, Math.max(from, to));
}

function add(context: Context, [key, ...rest]: string[]): Reply {
  const options = new Set<string>();
  while (/^(?:nx|xx|ch|gt|lt|incr)$/i.test(rest[0] ?? '')) options.add(rest.shift()!.toUpperCase());
  for (const option of ['GT', 'LT', 'INCR']) if (options.has(option)) throw unsupported(`ZADD ${option}`);
  if (rest.length === 0 || rest.length % 2 !== 0) throw syntaxError();
  if (options.has('NX') && options.has('XX')) throw new RedisError('ERR XX and NX options at the same time are not compatible');
  const rows: Row[] = [];
  for (let i = 0; i < rest.length; i += 2) rows.push({ score: scoreIn(rest[i]!), member: rest[i + 1]! });
  if (options.has('XX') && !find(context, key!)) return 0;
  return addAll(context.keys.make(key!, SortedSet), rows, options);
}

function scoreIn(text: string): number {
  const score = floatIn(text);
  if (score === null) throw new RedisError('ERR value is not a valid float');
  return score;
}

function addAll(set: SortedSet, rows: readonly Row[], options: ReadonlySet<string>): number {
  let count = 0;
  for (const { member, score } of rows) {
    const before = set.scores.get(member);
    if (before === undefined ? options.has('XX') : options.has('NX')) continue;
    if (before === undefined || (options.has('CH') && before !== score)) count += 1;
    if (before !== score) set.set(member, score);
  }
  return count;
}

function dropEmpty(context: Context, key: string, set: SortedSet): void {
  if (set.scores.size === 0) context.keys.delete(key);
}

function remove(context: Context, [key, ...members]: string[]): Reply {
  const set = find(context, key!);
  if (!set) return 0;
  const count = members.filter((member) => set.remove(member)).length;
  dropEmpty(context, key!, set);
  return count;
}

function removeByScore(context: Context, [key, min, max]: string[]): Reply {
  const range = rangeOf(min!, max!);
  const set = find(context, key!);
  if (!set) return 0;
  const rows = rowsIn(set, range);
  for (const { member } of rows) set.remove(member);
  dropEmpty(context, key!, set);
  return rows.length;
}

type Bound = (member: string) => boolean;

/** Whether a member lies behind one end of a range of names: `-`, `+`, `[name` or `(name`. */
function isPast(end: string, sign: '<' | '>'): Bound {
  if (end === '-' || end === '+') return () => (end === '-') === (sign === '<');
  const [kind, name] = [end[0], end.slice(1)];
  if (kind !== '[' && kind !== '(') throw new RedisError('ERR min or max not valid string range item');
  if (sign === '<') return (member) => (kind === '[' ? member >= name : member > name);
  return (member) => (kind === '[' ? member <= name : member < name);
}

function namedBetween(min: string, max: string): (set: SortedSet) => Row[] {
  const [isAbove, isBelow] = [isPast(min, '<'), isPast(max, '>')];
  return ({ rows: { items } }) => items.filter(({ member }) => isAbove(member) && isBelow(member));
}

interface RangeOptions {
  isByScore: boolean;
  isByName: boolean;
  isReversed: boolean;
  hasScores: boolean;
  limit: readonly [offset: number, count: number] | null;
}

function optionsIn(parts: string[]): RangeOptions {
  const options: RangeOptions = { isByScore: false, isByName: false, isReversed: false, hasScores: false, limit: null };
  for (let i = 0; i < parts.length; i += 1) {
    const name = parts[i]!.toUpperCase();
    if (name === 'BYSCORE') options.isByScore = true;
    else if (name === 'BYLEX') options.isByName = true;
    else if (name === 'REV') options.isReversed = true;
    else if (name === 'WITHSCORES') options.hasScores = true;
    else if (name === 'LIMIT' && i + 2 < parts.length) options.limit = [parseInteger(parts[(i += 1)]!), parseInteger(parts[(i += 1)]!)];
    else throw syntaxError();
  }
  assertTogether(options);
  return options;
}

function assertTogether({ isByName, isByScore, isReversed, hasScores, limit }: RangeOptions): void {
  if (isByName && (isReversed || isByScore || hasScores)) throw unsupported('ZRANGE BYLEX with another option');
  if (!limit || isByScore || isByName) return;
  throw new RedisError('ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX');
}

function range(context: Context, [key, start, stop, ...parts]: string[]): Reply {
  const options = optionsIn(parts);
  const [low, high] = options.isReversed ? [stop!, start!] : [start!, stop!];
  const choose = choiceOf(options, low, high) ?? byRank(start!, stop!, options);
  const set = find(context, key!);
  const rows = set ? choose(set) : [];
  return options.hasScores ? rows.flatMap(({ member, score }) => [member, general(score, 17)]) : rows.map(({ member }) => member);
}

type Choice = (set: SortedSet) => Row[];

/** Null for a range of ranks. */
function choiceOf(options: RangeOptions, low: string, high: string): Choice | null {
  if (options.isByName) return limited(namedBetween(low, high), options);
  if (!options.isByScore) return null;
  const scores = rangeOf(low, high);
  return limited((set) => rowsIn(set, scores), options);
}

function limited(choose: Choice, { isReversed, limit }: RangeOptions): Choice {
  return (set) => {
    const rows = choose(set);
    if (isReversed) rows.reverse();
    const [offset, count] = limit ?? [0, -1];
    if (offset < 0) return [];
    return rows.slice(offset, count < 0 ? undefined : offset + count);
  };
}

function byRank(start: string, stop: string, { isReversed }: RangeOptions): Choice {
  const [from, to] = [parseInteger(start), parseInteger(stop)];
  return ({ rows: { items } }) => {
    const place = (index: number): number => (index < 0 ? items.length + index : index);
    const rows = isReversed ? items.toReversed() : items;
    return rows.slice(Math.max(0, place(from)), Math.max(0, place(to) + 1));
  };
}

/** Gives all members at once, as Redis does with small sets: a cursor promises no more than that. */
function scan(context: Context, [key, cursor, ...parts]: string[]): Reply {
  if (!/^\d+$/.test(cursor!)) throw new RedisError('ERR invalid cursor');
  const set = find(context, key!);
  if (!set) return ['0', []];
  for (let i = 0; i < parts.length; i += 2) {
    if (parts[i]!.toUpperCase() !== 'COUNT' || i + 1 >= parts.length) throw syntaxError();
    if (parseInteger(parts[i + 1]!) < 1) throw syntaxError();
  }
  return ['0', set.rows.items.flatMap(({ member, score }) => [member, general(score, 17)])];
}

export const sortedSetCommands: Commands = {
  ZADD: grows(-4, add),
  ZREM: writes(-3, remove),
  ZREMRANGEBYSCORE: writes(4, removeByScore),
  ZCARD: reads(2, (context, [key]) => find(context, key!)?.scores.size ?? 0),
  ZSCORE: reads(3, (context, [key, member]) => {
    const score = find(context, key!)?.scores.get(member!);
    return score === undefined ? null : general(score, 17);
  }),
  ZCOUNT: reads(4, (context, [key, min, max]) => {
    const scores = rangeOf(min!, max!);
    const set = find(context, key!);
    return set ? rowsIn(set, scores).length : 0;
  }),
  ZLEXCOUNT: reads(4, (context, [key, min, max]) => {
    const choose = namedBetween(min!, max!);
    const set = find(context, key!);
    return set ? choose(set).length : 0;
  }),
  ZRANGE: reads(-4, range),
  ZSCAN: reads(-3, scan),
};
