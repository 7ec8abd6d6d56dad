import fc from 'fast-check';
import type { Command } from './twin.js';

type Argument = fc.Arbitrary<string | number>;

/** Mostly the key of the own type; sometimes that of another type, or one that nobody has. */
function keyOf(own: string): Argument {
  return fc.constantFrom(own, own, own, own, own, own, `${own}2`, `${own}2`, 'hash', 'set', 'text', 'stream', 'none');
}

function command(name: string, ...args: Argument[]): fc.Arbitrary<Command> {
  return fc.tuple(...args).map((values): Command => [name, ...values]);
}

function words(...texts: (string | number)[]): Argument {
  return fc.constantFrom(...texts);
}

/** Ends in so many repetitions of some arguments. */
function repeated(head: fc.Arbitrary<Command>, ...tail: Argument[]): fc.Arbitrary<Command> {
  const more = fc.array(fc.tuple(...tail), { minLength: 1, maxLength: 3 });
  return fc.tuple(head, more).map(([start, rows]): Command => [...start, ...rows.flat()]);
}

/** Ends in options, or in none. */
function optional(head: fc.Arbitrary<Command>, ...options: (string | number)[][]): fc.Arbitrary<Command> {
  return fc.tuple(head, fc.constantFrom([], [], ...options)).map(([start, more]): Command => [...start, ...more]);
}

const field = words('a', 'b', 'c', 'é', '');
const number = words(0, 1, 2, -1, -3, 7, '9007199254740000', '9223372036854775807', '1.5', 'x', '', ' 1', '007');

const hash = keyOf('hash');
export const hashes = [
  repeated(command('HSET', hash), field, words('1', '22', 'text', 'ü€', '-5', '9223372036854775807')),
  repeated(command('HDEL', hash), field),
  repeated(command('HMGET', hash), field),
  command('HSETNX', hash, field, number),
  command('HINCRBY', hash, field, number),
  command('HGET', hash, field),
  command('HEXISTS', hash, field),
  command('HGETALL', hash),
  optional(command('HSCAN', hash, words(0, '0', 'x')), ['COUNT', 10], ['COUNT', 0], ['COUNT'], ['COUNT', 'x']),
  command('HKEYS', hash),
  command('HLEN', hash),
  optional(command('HRANDFIELD', hash, words(100, 1, 2, -2, 0, 'x')), ['WITHVALUES'], ['no']),
  command('HSET', hash, field),
];

const set = keyOf('set');
const member = words('m', 'n', 'o', 'ü', '');
const score = words(0, -1, 1, 2, 3, '1.5', '0.1', '1e20', '1700000000000', 'inf', '-inf', 'nan', 'x');
const bound = words('-inf', '+inf', 0, 1, '(1', '(2', 3, '1.5', '(inf', 'x');
const rank = words(0, 1, -1, -2, 5, -9, 'x');
export const sortedSets = [
  repeated(command('ZADD', set), score, member),
  repeated(command('ZADD', set, words('NX', 'XX', 'CH')), score, member),
  command('ZADD', set, words('NX'), words('XX'), score, member),
  repeated(command('ZREM', set), member),
  command('ZREMRANGEBYSCORE', set, bound, bound),
  command('ZCOUNT', set, bound, bound),
  command('ZCARD', set),
  command('ZSCORE', set, member),
  optional(command('ZRANGE', set, rank, rank), ['WITHSCORES'], ['REV'], ['REV', 'WITHSCORES'], ['LIMIT', 0, 1]),
  optional(command('ZRANGE', set, bound, bound, words('BYSCORE')), ['LIMIT', 0, 2], ['LIMIT', 1, -1, 'WITHSCORES'], ['REV'], ['LIMIT', -1, 2]),
  optional(command('ZSCAN', set, words(0, 'x')), ['COUNT', 5], ['COUNT', 0], ['COUNT']),
];

const text = keyOf('text');
const bit = words(0, 1, 7, 8, 9, 100, -1, 'x', '4294967296');
const width = words('u1', 'u2', 'u7', 'u8', 'u48', 'u64', 'x8', 'u0');
const place = words(0, 1, 7, 8, 13, '#1', '#2', -1, 'x');
export const texts = [
  command('SETBIT', text, bit, words(0, 1, 1, 2)),
  command('GETBIT', text, bit),
  command('BITCOUNT', text),
  optional(command('BITCOUNT', text, rank, rank), ['BIT'], ['BYTE'], ['x']),
  command('BITCOUNT', text, rank),
  repeated(command('BITFIELD', text), words('SET'), width, place, words(0, 1, 5, -1, '281474976710655', 'x')),
  repeated(command('BITFIELD', text), words('GET'), width, place),
  repeated(command('BITFIELD_RO', text), words('GET'), width, place),
  command('BITFIELD_RO', text, words('SET'), width, place, words(1)),
  optional(command('SET', text, words('word', 'wörd', '')), ['PX', 100_000], ['NX'], ['XX'], ['PX', 0], ['PX'], ['NX', 'XX']),
  command('GET', text),
  command('STRLEN', text),
  command('SETRANGE', text, words(0, 1, 9, -1, 'x'), words('', 'yz', '\0\0')),
];

const id = words('1-1', '1-2', '1-5', '2', '2-0', '3-1', '3-18446744073709551615', '4-0', '5-7', '0-1', '6-1', '6-2', '7');
const oddId = words('0-0', '0', 'x', '', '1-', '1-x', '-1', '18446744073709551616', '18446744073709551615-18446744073709551614', '99999999999999-0');
const anyId = fc.oneof({ weight: 9, arbitrary: id }, { weight: 1, arbitrary: oddId });
const newId = fc.oneof(
  { weight: 20, arbitrary: id },
  { weight: 8, arbitrary: words('1-*', '3-*', '5-*', '8-*', '9-*') },
  { weight: 1, arbitrary: words('99999999999999-3', '18446744073709551615-18446744073709551615', '0-*', 'x-*', '-*', '0-0', 'x') },
);
const edge = fc.oneof(
  { weight: 6, arbitrary: words('-', '+', '(1-1', '(1-2', '(2', '(3-18446744073709551615') },
  { weight: 6, arbitrary: id },
  { weight: 1, arbitrary: words('(18446744073709551615-18446744073709551615', '(0-0', '(-', '(+', 'x', '(x', '$') },
);
const stream = keyOf('stream');
const group = words('g', 'g', 'g', 'h', 'none');
const consumer = words('c', 'd', 'e');
const count = words(0, 1, 2, 10, -1, 'x');

export const entries = [
  ...Array.from({ length: 4 }, () => repeated(command('XADD', stream, newId), words('f', 'ü'), words('v', 'wert', ''))),
  command('XADD', stream, words('NOMKSTREAM'), newId, words('f'), words('v')),
  command('XADD', stream, words('MAXLEN'), words('='), words(0, 2, -1), newId, words('f'), words('v')),
  command('XADD', stream, newId, words('f')),
  repeated(command('XDEL', stream), anyId),
  command('XTRIM', stream, words('MINID', 'MAXLEN', 'x'), words('='), words('2-0', 1, 3, '3-1')),
  command('XSETID', stream, anyId),
  command('XLEN', stream),
  optional(command('XRANGE', stream, edge, edge), ['COUNT', 1], ['COUNT', 2], ['COUNT', 0], ['COUNT', -1], ['COUNT'], ['x', 1]),
  optional(command('XREVRANGE', stream, edge, edge), ['COUNT', 1], ['COUNT', 2]),
  command('XREAD', words('COUNT'), count, words('STREAMS'), stream, fc.oneof(anyId, words('$', '>'))),
  command('XREAD', words('STREAMS'), stream, stream, anyId, anyId),
  command('XINFO', words('STREAM', 'GROUPS', 'x'), stream),
];

/** Half of the sequences begin with entries that a consumer has, some of which are gone. */
export const beginning: readonly Command[] = [
  ['XGROUP', 'CREATE', 'stream', 'g', '0', 'MKSTREAM'],
  ...['1-1', '1-2', '1-5', '2-0', '2-1'].map((each): Command => ['XADD', 'stream', each, 'f', each]),
  ['XREADGROUP', 'GROUP', 'g', 'c', 'COUNT', 2, 'STREAMS', 'stream', '>'],
  ['XREADGROUP', 'GROUP', 'g', 'd', 'COUNT', 2, 'STREAMS', 'stream', '>'],
  ['XDEL', 'stream', '1-2', '2-0'],
  // The first entry is delivered a second time, and then anew.
  ['XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 'stream', '0'],
  ['XGROUP', 'SETID', 'stream', 'g', '0'],
];

const groupPlace = fc.oneof(anyId, words('$', '0', '0'));
const readPlace = fc.oneof({ weight: 3, arbitrary: words('>') }, { weight: 2, arbitrary: words('0', '1-2') }, { weight: 1, arbitrary: words('$', 'x') });
export const groups = [
  optional(command('XGROUP', words('CREATE'), stream, group, groupPlace), ['MKSTREAM'], ['MKSTREAM'], ['ENTRIESREAD', 2], ['x']),
  command('XGROUP', words('CREATE'), stream, words('g'), words('0'), words('MKSTREAM')),
  command('XGROUP', words('DESTROY'), stream, words('h', 'none', 'h', 'g')),
  command('XGROUP', words('SETID'), stream, group, groupPlace),
  command('XGROUP', words('CREATECONSUMER', 'DELCONSUMER'), stream, group, consumer),
  command('XGROUP', words('x', 'CREATE'), stream),
  ...Array.from({ length: 4 }, () =>
    command('XREADGROUP', words('GROUP'), group, consumer, words('COUNT'), count, words('STREAMS'), stream, readPlace),
  ),
  command('XREADGROUP', words('GROUP'), group, consumer, words('NOACK'), words('STREAMS'), stream, readPlace),
  command('XREADGROUP', words('GROUP'), group, consumer, words('STREAMS'), stream, stream, words('>', '0')),
  command('XREADGROUP', words('GROUP'), group, consumer, words('STREAMS'), words('stream'), words('stream2'), words('>'), words('>')),
  repeated(command('XACK', stream, group), anyId),
  command('XPENDING', stream, group),
  command('XPENDING', stream, group, edge, edge, count),
  command('XPENDING', stream, group, edge, edge, count, consumer),
  command('XPENDING', stream, group, words('IDLE'), words(0, 1_000_000), words('-'), words('+'), count),
  command('XPENDING', stream, group, edge),
  optional(command('XCLAIM', stream, group, consumer, words(0, 1_000_000, 'x'), anyId), ['RETRYCOUNT', 3], ['JUSTID'], ['FORCE'], ['FORCE', 'JUSTID'], ['x']),
  repeated(command('XCLAIM', stream, group, consumer, words(0)), anyId),
  command('XINFO', words('CONSUMERS'), stream, group),
  command('XINFO', words('GROUPS'), stream),
];

const anyKey = words('hash', 'set', 'text', 'stream', 'none');
export const keys = [
  repeated(command('EXISTS'), anyKey),
  command('DEL', anyKey),
  command('UNLINK', anyKey, anyKey),
  command('TYPE', anyKey),
  command('PEXPIRE', anyKey, words(100_000, 'x')),
  command('RENAME', anyKey, anyKey),
  command('HGET', anyKey),
  command('PING'),
  command('no-command', anyKey, words('x')),
  command('SELECT', words(0)),
];
