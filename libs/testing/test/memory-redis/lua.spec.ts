import { afterAll, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { startTestRedis, type TestRedis } from '@millrace/testing';
import fc from 'fast-check';
import { type Command, Twin } from './twin.js';

const seed = Number(process.env['MILLRACE_SEED'] ?? Math.floor(Math.random() * 2 ** 31));
const RUNS = Number(process.env['MILLRACE_MEMORY_RUNS'] ?? 300);

let server: TestRedis;
let twin: Twin;

beforeAll(async () => {
  server = await startTestRedis();
  twin = new Twin(server.url);
});

beforeEach(() => twin.empty());

afterAll(async () => {
  twin.close();
  await server.stop();
});

function evaluation(script: string, ...args: (string | number)[]): Command {
  return ['EVAL', script, 1, 'key', ...args];
}

async function expectSame(...commands: Command[]): Promise<void> {
  const { real, memory } = await twin.ask(commands);
  const shown = (outcomes: readonly unknown[]): unknown[] => outcomes.map((outcome, index) => [commands[index], outcome]);
  expect(shown(memory)).toEqual(shown(real));
}

const SCRIPTS: Readonly<Record<string, string[]>> = {
  replies: [
    'return nil', 'return true', 'return false', 'return 3.99', 'return -3.99', 'return 1e15', "return 'text'", 'return {1, 2, nil, 4}', 'return {}',
    "return {ok='fine'}", "return {err='MY words'}", "return {err='word'}", "return redis.error_reply('some words')",
    "return redis.error_reply('word')", "return redis.error_reply('-CODE words')", "return redis.status_reply('fine')",
    'return {1, {2, {3}}, false, true}', 'return 1, 2', 'return', "return {a=1, 'x'}", 'return KEYS[1] .. ARGV[1]', 'return #ARGV',
    "return redis.call('GET', 'none')", "return type(redis.call('GET', 'none'))", "return redis.call('PING')", "return redis.call('PING').ok",
    "return redis.call('HGETALL', 'none')", "return type(redis.call('XREAD', 'STREAMS', 'none', '0'))",
    "return redis.sha1hex('text')", 'return {cjson.null}', "return tostring(redis.call('TYPE', KEYS[1]).ok)",
  ],
  errors: [
    "return redis.call('GET')", "return redis.call('NOTHING')", "return redis.pcall('GET').err", "return redis.pcall('NOTHING')", 'return redis.call()',
    "return redis.call('GET', {})", "error('words')", "error('words', 0)", "error({err='MY words'})", "\n\nerror('third line')",
    "local good, failure = pcall(error, 'x') return {tostring(good), failure}", "local good, failure = pcall(function() error('x') end) return failure",
    "local good, failure = pcall(function() error({err='E x'}) end) return failure.err", "redis.call('SET', KEYS[1], 'x') return redis.call('HGET', KEYS[1], 'f')",
    "redis.call('SET', KEYS[1], 'x') return redis.pcall('HGET', KEYS[1], 'f').err",
    "redis.call('SET', KEYS[1], 'x')\nlocal function f(x)\n return x\nend\nreturn redis.call('HGET',\n KEYS[1],\n f('f'))",
    "local good, failure = pcall(redis.call, 'HGET') return failure.err", "local good, failure = pcall(redis.call, 'HGET') error(failure)",
    'assert(false)', "assert(nil, 'words')", 'return assert(5)', "return cjson.decode('{')", '#!lua flags=no-writes\nreturn redis.call("SET", KEYS[1], 1)',
    '#!lua flags=strange\nreturn 1', '#!other\nreturn 1', '#!lua\n\nerror("x")', 'return tonumber({}) == nil', "return redis.call('SET', KEYS[1], 1.5)",
  ],
  language: [
    "local a, b, c = (function() return 1, 2, 3 end)() return {a, b, c}", "local a, b = ((function() return 1, 2 end)()) return {a, tostring(b)}",
    "local function f(...) return select('#', ...), ... end return {f(7, nil, 8)}", 'local t = {} t[1], t[2] = 1, 2 return t', 'local x = 1 local x = x + 1 return x',
    "local t = {} for i = 1, 3 do t[#t + 1] = function() return i end end return {t[1](), t[2](), t[3]()}", 'local n = 0 for i = 10, 1, -3 do n = n + i end return n',
    'local n = 0 while true do n = n + 1 if n > 4 then break end end return n', 'local n = 0 repeat local m = n n = n + 1 until m == 3 return n',
    'local t = {5, 6, nil, 8} local n = 0 for _, v in ipairs(t) do n = n + v end return n', "local t = {a=1, b=2} local n = 0 for _, v in pairs(t) do n = n + v end return n",
    "return {1 and 2, nil or 3, false and 1 or 4, tostring(nil and 1), tostring(not nil)}", "return tostring(1 == '1')", "return tostring('a' < 'b' and 'Z' < 'a' and '\\255' > 'a')",
    'return -2 ^ 2', 'return 2 ^ 3 ^ 2', "return 'a' .. 1 .. 2.5", "return '10' + 5", "return '0x10' * 1", 'return 7 % -3', 'return -7 % 3', 'return 5.5 % 2', "return #'ü'",
    'local t = {1, 2, 3} t[3] = nil return #t', 'local t = {1, 2, 3} table.remove(t, 1) table.insert(t, 9) table.insert(t, 1, 0) return t', "return table.concat({1, 'a', 2.5}, '-')",
    'local t = {3, 1, 2} table.sort(t) return t', 'local t = {3, 1, 2} table.sort(t, function(a, b) return a > b end) return t', 'return {unpack({1, 2, 3}, 2)}', 'return {unpack({1, 2, 3}, 2, 5), 7}',
    'return [[long\ntext]]', "return 'a\\n\\65\\'\\\\'", '--[[ comment\n]] return 1 -- more', "if ARGV[1] == 'x' then return 1 elseif ARGV[1] then return 2 else return 3 end",
    'do local x = 1 end return tostring(x == nil)', 'local f f = function(n) return n <= 1 and 1 or n * f(n - 1) end return f(10)', 'return {math.max(1, 5, 3), math.min(2, 1), math.floor(-1.5), math.ceil(1.2), math.abs(-3)}',
    "return {type(nil), type(1), type('x'), type({}), type(print), type(true), type(cjson.null)}", "local t = {['a b'] = 1; [2] = 'two', x = {y = 5}} return {t['a b'], t[2], t.x.y}",
    "return tostring(math.huge) .. tostring(-math.huge)", 'return {tostring(1e15), tostring(1e100), tostring(0.1), tostring(-0), tostring(123456789012345), tostring(1/3)}',
    "return {tostring(tonumber('')), tostring(tonumber(' 5 ')), tostring(tonumber('5x')), tostring(tonumber(nil)), tostring(tonumber(false)), tostring(tonumber('1e3')), tostring(tonumber('0x1F')), tostring(tonumber('-.5'))}",
    "return {redis.call('HSET', KEYS[1], 'f', 0.1), redis.call('HGET', KEYS[1], 'f')}", "redis.call('HSET', KEYS[1], 1e15, 1 / 3) return redis.call('HGETALL', KEYS[1])",
  ],
  texts: [
    "return {string.find('hello', 'l')}", "return {string.find('hello', 'xyz')}", "return {string.find('a.b', '.', 1, true)}", "return {string.find('hello', '(l)(l)')}", "return {string.find('hello', '', 10)}",
    "return {string.find('aXb', '%u')}", "return {string.find('hello', 'l', -2)}", "return {string.match('key=value', '(%w+)=(%w+)')}", "return {string.match('12-34', '^(%d+)-(%d+)$')}", "return tostring(string.match('x12', '^%d+'))",
    "return {string.match('  trim  ', '^%s*(.-)%s*$')}", "return {string.match('{a}b}', '^.-}')}", "return {string.match('a]b', '[]]')}", "return {string.match('a-b^c', '[%-^]+')}", "return {string.match('abc', '[^a]+')}", "return {string.match('0009', '0*(%d-)9')}",
    "local t = {} for k, v in string.gmatch('a=1, b=2', '(%w+)=(%w+)') do t[#t + 1] = k .. v end return t", "local t = {} for w in string.gmatch('one two', '%a+') do t[#t + 1] = w end return t", "local t = {} for w in string.gmatch('a,b,,c,', '(.-),') do t[#t + 1] = w end return t",
    "return {string.gsub('hello', 'l', 'L')}", "return {string.gsub('hello', 'l', 'L', 1)}", "return {string.gsub('hello', '(l)(.)', '%2%1')}", "return {string.gsub('abc', '%w', '%0%0')}", "return {string.gsub('abc', '', '-')}",
    "return {string.gsub('aaa', '^a', 'b')}", "return {string.gsub('hello', '^h', function(x) return 'J' end)}", "return {string.gsub('abc', '.', {a = 'x', b = false})}", "return {string.gsub('a\\\\/b', '\\\\\\\\/', '/')}",
    "return {string.sub('hello', 2), string.sub('hello', -3, -2), string.sub('hello', 2, 1), string.sub('hello', 0, 99), string.sub('hi', -9)}", "return {string.byte('A'), string.byte('abc', -1), string.byte('abc', 1, 3)}",
    "return {string.rep('ab', 3), string.rep('x', 0), string.rep('x', -1), string.char(65, 66), string.upper('aé'), string.lower('AÉ'), string.reverse('abc'), string.len('ü')}",
    "return {string.format('%d %s %5.2f|%-5d|%05d|%x|%%', 3.99, 'x', 3.14159, 42, 42, 255)}", "return {string.format('%016.0f', 123), string.format('%03d', 7.9), string.format('%.3f', 1.0005), string.format('%g', 1e20), string.format('%+d', 5)}",
    "return string.format('%s', {} == nil)", "return string.format('%d', 'x')", "return string.format('%s %s', 1, 0.1)", "return string.format('%.0f %.0f %.0f %.0f', 0.5, 1.5, 2.5, -0.5)", "return string.format('%.0f', 2 ^ 70)", "return string.format('%.2s|%5s|%-5s|', 'abc', 'a', 'b')",
  ],
  json: [
    "return cjson.encode({1, 2, 'x'})", "return cjson.encode({})", "return cjson.encode({a = 1})", "return cjson.encode('a/\"\\\\\\n\\127ü\\1')", 'return cjson.encode(0.1)', 'return cjson.encode(1e15)', 'return cjson.encode(true)', 'return cjson.encode(cjson.null)',
    'return cjson.encode({1, nil, 3})', 'return cjson.encode({[1000] = 1})', "return cjson.encode({['1'] = 2})", 'return cjson.encode(1 / 0)',
    ...[
      '[1,"2",null,true,{"a":[]}]', '{"1":"x"}', '"\\u00fc\\ud83d\\ude00\\n\\/"', '"raw\ttab"', ' [ 1 , 2 ] ', '[]', '{}', '', '[1,]', '[1 2]', '{"a"}', '{a:1}', 'nul', '01', '1e5', '-5.25', '0x10', '"open', '[1] 2', '"\\x"', '"\\ud800"', 'NaN', '[', '{"a":1,}', '-', '[[[1]]]',
    ].map((text) => `local good, value = pcall(cjson.decode, ${luaText(text)}) return {tostring(good), good and cjson.encode(value) or 'refused'}`),
  ],
};

function luaText(text: string): string {
  return `"${text.replace(/[\\"]/g, '\\$&').replaceAll('\t', '\\t')}"`;
}

describe('Lua in memory', () => {
  it.each(Object.entries(SCRIPTS))('does as Lua inside Redis does: %s', (_, scripts) => expectSame(...scripts.map((script) => evaluation(script, 'x', 'ü'))));

  const number = fc.oneof(
    fc.double({ noNaN: true }),
    fc.integer(),
    fc.integer({ min: -4_000, max: 4_000 }).map((n) => n / 16),
    fc.bigInt({ min: 0n, max: 2n ** 64n }).map(Number),
  );

  it(`writes and reads numbers as Lua does (seed ${seed})`, async () => {
    const script = `local n = tonumber(ARGV[1])
      return { tostring(n), string.format('%.0f %.3f %.1f', n, n, n), cjson.encode({ n }), tostring(n % 7), tostring(math.floor(n)), math.abs(n) < 2 ^ 53 and n or 0, tostring(n * 3 == n) }`;
    const finite = number.filter((n) => Math.abs(n) < 1e20);
    const property = fc.asyncProperty(fc.array(finite, { minLength: 10, maxLength: 10 }), async (numbers) => {
      const { real, memory } = await twin.ask(numbers.map((n) => evaluation(script, String(n))));
      expect(memory).toEqual(real);
    });
    await fc.assert(property, { seed, numRuns: RUNS });
  });

  const piece = fc.constantFrom('a', 'b', '.', '%d', '%w', '%s', '%a', '[ab]', '[^a]', '[%d-]', '-', '+', '}', '%-', '%.', '1', ' ');
  const repetition = fc.constantFrom('', '', '*', '+', '-', '?');
  const pattern = fc
    .array(fc.tuple(piece, repetition, fc.boolean()), { minLength: 1, maxLength: 4 })
    .map((parts) => parts.map(([text, times, isCaptured]) => (isCaptured ? `(${text}${times})` : text + times)).join(''))
    .filter((text) => !/^[-+?*]/.test(text));

  it(`finds patterns as Lua does (seed ${seed})`, async () => {
    const script = `return { { string.find(ARGV[1], ARGV[2]) }, { string.gsub(ARGV[1], ARGV[2], '<%0>') }, { string.match(ARGV[1], '^' .. ARGV[2] .. '$') } }`;
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '1', '2', '-', '.', ' ', '}', '+'), maxLength: 12 });
    const property = fc.asyncProperty(fc.array(fc.tuple(text, pattern), { minLength: 10, maxLength: 10 }), async (cases) => {
      const { real, memory } = await twin.ask(cases.map(([where, what]) => evaluation(script, where, what)));
      expect(memory).toEqual(real);
    });
    await fc.assert(property, { seed, numRuns: RUNS });
  });
});

describe('scripts in memory', () => {
  it('are known by their digests, until they are forgotten', async () => {
    const sha = '9b1a2a0b3f5c1a2a0b3f5c1a2a0b3f5c1a2a0b3f';
    const load: Command = ['SCRIPT', 'LOAD', 'return ARGV[1]'];
    await expectSame(['EVALSHA', sha, 0], load);
    const known = String(twin.memory.execute(...load));
    await expectSame(
      ['EVALSHA', known, 0, 'x'], ['EVALSHA', known.toUpperCase(), 1, 'x'], ['SCRIPT', 'EXISTS', known, sha], ['EVALSHA', known, 2, 'x'],
      ['EVALSHA', known, -1], ['EVALSHA', known, 'x'], ['EVALSHA', known], ['SCRIPT', 'FLUSH'], ['EVALSHA', known, 0, 'x'],
    );
  });

  it('are refused while Redis is full, unless they say that they may grow', async () => {
    await twin.real.call('CONFIG', 'SET', 'maxmemory', 1);
    twin.memory.isFull = true;
    const write = "return redis.call('HSET', KEYS[1], 'f', 'v')";
    const shrinks = "return redis.call('HDEL', KEYS[1], 'f')";
    await expectSame(
      evaluation(write), evaluation(`#!lua\n${write}`), evaluation(`#!lua flags=allow-oom\n${write}`), evaluation(shrinks), evaluation(`#!lua\n${shrinks}`),
      evaluation(`#!lua flags=no-writes\nreturn redis.call('HGET', KEYS[1], 'f')`), evaluation("return redis.pcall('HSET', KEYS[1], 'f', 'v').err"),
      ['HSET', 'key', 'f', 'v'], ['SET', 'k', 'v'], ['XADD', 's', '1-1', 'f', 'v'], ['XGROUP', 'CREATE', 's', 'g', '0', 'MKSTREAM'], ['HDEL', 'key', 'f'],
      evaluation("#!lua flags=allow-oom\nreturn redis.call('XGROUP', 'CREATE', KEYS[1], 'g', '0', 'MKSTREAM')"),
      ['XGROUP', 'CREATECONSUMER', 'key', 'g', 'c'], ['XGROUP', 'DESTROY', 'key', 'g'], ['SETBIT', 'b', 1, 1], ['ZADD', 'z', 1, 'm'], ['SPUBLISH', 'c', 'm'],
    );
    await twin.real.call('CONFIG', 'SET', 'maxmemory', 0);
  });
});
