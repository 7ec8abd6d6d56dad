import { beforeEach, describe, expect, it } from '@jest/globals';
import { MemoryRedis } from '@millrace/testing';

let now: number;
let published: [string, string][];
let changed: string[];
let redis: MemoryRedis;

beforeEach(() => {
  [now, published, changed] = [1_800_000_000_123, [], []];
  redis = new MemoryRedis({
    nowMs: () => now,
    microseconds: () => 45,
    random: () => 0.5,
    publish: (...message) => published.push(message),
    changed: (key) => changed.push(key),
  });
});

describe('the time of a Redis in memory', () => {
  it('is the one that it is given', () => {
    expect(redis.execute('TIME')).toEqual(['1800000000', '123045']);
    expect(redis.execute('XADD', 's', '*', 'f', 'v')).toBe('1800000000123-0');
    expect(redis.execute('XADD', 's', '*', 'f', 'v')).toBe('1800000000123-1');
    now += 1;
    expect(redis.execute('XADD', 's', '*', 'f', 'v')).toBe('1800000000124-0');
  });

  it('ends keys, and no other time does', () => {
    redis.execute('SET', 'text', 'v', 'PX', 100);
    redis.execute('HSET', 'hash', 'f', 'v');
    redis.execute('PEXPIRE', 'hash', 50);
    expect([redis.execute('PTTL', 'text'), redis.execute('PTTL', 'hash'), redis.execute('PTTL', 'none')]).toEqual([100, 50, -2]);
    now += 50;
    expect([redis.execute('PTTL', 'text'), redis.execute('EXISTS', 'hash'), redis.keys()]).toEqual([50, 0, ['text']]);
    expect(redis.execute('SET', 'text', 'w')).toBe('OK');
    now += 1_000;
    expect([redis.execute('GET', 'text'), redis.execute('PTTL', 'text')]).toEqual(['w', -1]);
  });

  it('tells how long an entry is held', () => {
    redis.execute('XGROUP', 'CREATE', 's', 'g', '0', 'MKSTREAM');
    redis.execute('XADD', 's', '1-1', 'f', 'v');
    redis.execute('XREADGROUP', 'GROUP', 'g', 'c', 'STREAMS', 's', '>');
    now += 700;
    expect(redis.execute('XPENDING', 's', 'g', '-', '+', 1)).toEqual([['1-1', 'c', 700, 1]]);
    expect(redis.execute('XPENDING', 's', 'g', 'IDLE', 701, '-', '+', 1)).toEqual([]);
    expect(redis.execute('XINFO', 'CONSUMERS', 's', 'g')).toEqual([['name', 'c', 'pending', 1, 'idle', 700]]);
    expect(redis.execute('XCLAIM', 's', 'g', 'd', 701, '1-1')).toEqual([]);
    expect(redis.execute('XCLAIM', 's', 'g', 'd', 700, '1-1')).toEqual([['1-1', ['f', 'v']]]);
    expect(redis.execute('XPENDING', 's', 'g', '-', '+', 1)).toEqual([['1-1', 'd', 0, 2]]);
    // A clock that was set back hides no entry: settlements look who holds it.
    now -= 10_000;
    expect(redis.execute('XPENDING', 's', 'g', '-', '+', 1)).toEqual([['1-1', 'd', 0, 2]]);
    expect(redis.execute('XPENDING', 's', 'g', 'IDLE', 1, '-', '+', 1)).toEqual([]);
    expect(redis.execute('XCLAIM', 's', 'g', 'c', 0, '1-1', 'JUSTID')).toEqual(['1-1']);
  });
});

describe('those around a Redis in memory', () => {
  it('get what is published, by a command and by a script', () => {
    expect(redis.execute('SPUBLISH', 'chännel', 'wörd')).toBe(1);
    expect(redis.execute('EVAL', "return redis.call('SPUBLISH', KEYS[1], ARGV[1])", 1, 'chännel', 'other')).toBe(2);
    expect(published).toEqual([['chännel', 'wörd'], ['chännel', 'other']]);
  });

  it('learn for which keys a reader waits, and when they have entries or are gone', () => {
    expect(redis.waitOf('XREADGROUP', 'GROUP', 'g', 'c', 'BLOCK', 2_000, 'STREAMS', 's', 't', '>', '>')).toEqual({ keys: ['s', 't'], ms: 2_000 });
    expect(redis.waitOf('XREAD', 'COUNT', 1, 'STREAMS', 's', '$')).toBeNull();
    expect(redis.waitOf('HGET', 'h', 'f')).toBeNull();
    redis.execute('XADD', 's', '1-1', 'f', 'v');
    redis.execute('XGROUP', 'CREATE', 's', 'g', '0');
    expect(changed).toEqual(['s']);
    redis.execute('XGROUP', 'DESTROY', 's', 'g');
    redis.execute('RENAME', 's', 't');
    redis.execute('UNLINK', 't', 'none');
    redis.execute('HSET', 'h', 'f', 'v');
    redis.execute('FLUSHALL');
    expect(changed).toEqual(['s', 's', 's', 't', 't', 'h']);
  });

  it('choose by the number that they are given', () => {
    redis.execute('HSET', 'h', 'a', 1, 'b', 2, 'c', 3, 'd', 4);
    expect(redis.execute('HRANDFIELD', 'h')).toBe('c');
    expect(redis.execute('HRANDFIELD', 'h', 2, 'WITHVALUES')).toEqual(['c', '3', 'a', '1']);
  });

  it('see that it is full', () => {
    expect(redis.execute('INFO', 'memory')).toMatch(/\r\nused_memory:\d+\r\nmaxmemory:0\r\n/);
    redis.isFull = true;
    const [, used, most] = /used_memory:(\d+)\r\nmaxmemory:(\d+)/.exec(String(redis.execute('INFO')))!;
    expect(Number(most)).toBeGreaterThan(0);
    expect(Number(used)).toBeGreaterThan(Number(most));
    expect(() => redis.execute('SET', 'k', 'v')).toThrow(/^OOM /);
  });
});

describe('a Redis in memory', () => {
  it('estimates the memory of a key by what it holds', () => {
    expect(redis.execute('MEMORY', 'USAGE', 'none')).toBeNull();
    for (let i = 1; i <= 1_000; i += 1) redis.execute('XADD', 's', `${i}-1`, 'f', 'x'.repeat(100));
    expect(redis.execute('MEMORY', 'USAGE', 's', 'SAMPLES', 5)).toBeGreaterThan(100_000);
    redis.execute('XTRIM', 's', 'MAXLEN', 10);
    expect(redis.execute('MEMORY', 'USAGE', 's')).toBeLessThan(3_000);
  });

  it('refuses what it does not know in words of its own, also inside a script that catches errors', () => {
    expect(() => redis.execute('ZADD', 'z', 'GT', 1, 'm')).toThrow('MemoryRedis does not know ZADD GT.');
    expect(() => redis.execute('EVAL', "return pcall(redis.pcall, 'ZADD', 'z', 'GT', 1, 'm')", 0)).toThrow('MemoryRedis does not know ZADD GT.');
    expect(() => redis.execute('EVAL', "return pcall(string.find, 'a(b)', '%b()')", 0)).toThrow('MemoryRedis does not know %b in patterns.');
  });

  it('answers as a server that Millrace may use', () => {
    expect(String(redis.execute('INFO'))).toMatch(/^redis_version:7\.0\.15\r$/m);
    expect(redis.execute('CONFIG', 'GET', 'appendonly')).toEqual(['appendonly', 'no']);
    expect(redis.execute('CLIENT', 'ID')).toBe(1);
    expect(redis.execute('WAIT', 1, 100)).toBe(0);
  });
});
