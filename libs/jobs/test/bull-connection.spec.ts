import { describe, expect, it } from '@jest/globals';
import { isMillraceError } from '@millrace/core';
import type { RedisTarget } from '@millrace/redis';
import { bullConnection, bullPrefix } from '../src/index.js';

function codeOf(call: () => unknown): string | null {
  try {
    call();
    return null;
  } catch (error) {
    return isMillraceError(error) ? error.code : String(error);
  }
}

describe('bullConnection', () => {
  it.each([
    ['redis://localhost', { host: 'localhost', port: 6379, db: 0 }],
    ['redis://10.0.0.1:6380/3', { host: '10.0.0.1', port: 6380, db: 3 }],
    ['redis://[::1]:6380/', { host: '::1', port: 6380, db: 0 }],
    ['redis://:p%40ss%2Fw@cache', { host: 'cache', password: 'p@ss/w' }],
    ['redis://app:secret@cache/1', { host: 'cache', username: 'app', password: 'secret', db: 1 }],
    ['rediss://cache.example:6380', { host: 'cache.example', port: 6380, tls: { servername: 'cache.example' } }],
    ['rediss://10.0.0.1', { host: '10.0.0.1', tls: {} }],
    ['unix:///run/redis.sock', { path: '/run/redis.sock' }],
  ])('reads %s', (url, expected) => {
    expect(bullConnection({ url }, 'queue')).toMatchObject(expected);
  });

  it('has no user, password or TLS where the URL has none', () => {
    for (const absent of ['username', 'password', 'tls']) expect(bullConnection({ url: 'redis://cache' }, 'worker')).not.toHaveProperty(absent);
  });

  it('lets a worker wait for Redis and a queue give up', () => {
    expect(bullConnection({ url: 'redis://cache' }, 'worker').maxRetriesPerRequest).toBeNull();
    expect(bullConnection({ url: 'redis://cache' }, 'queue').maxRetriesPerRequest).toBe(0);
  });

  it('never sets a key prefix', () => {
    expect(bullConnection({ url: 'redis://cache' }, 'queue')).not.toHaveProperty('keyPrefix');
    expect(() => bullConnection({ url: 'redis://cache?keyPrefix=x' }, 'queue')).toThrow(/parameters/);
  });

  it.each(['', 'cache:6379', 'http://cache', 'redis://', 'redis://cache/x', 'redis://u:secret@cache/0/1', 'redis://u:%zzsecret@cache'])(
    'refuses %j without a password in the message',
    (url) => {
      expect(codeOf(() => bullConnection({ url }, 'queue'))).toBe('INVALID_OPTIONS');
      expect(() => bullConnection({ url }, 'queue')).not.toThrow(/secret/);
    },
  );

  it.each<RedisTarget>([
    { cluster: { nodes: [{ host: 'u:secret@cache', port: 6379 }] } },
    { cluster: { nodes: [{ host: 'cache', port: 6379 }], natMap: { 'cache:1': { host: 'u:secret@cache', port: 1 } } } },
    { sentinel: { nodes: [{ host: 'u:secret@cache', port: 0 }], primary: 'main' } },
  ])('refuses addresses that are none, without a password in the message: %j', (target) => {
    expect(codeOf(() => bullConnection(target, 'queue'))).toBe('INVALID_OPTIONS');
    expect(() => bullConnection(target, 'queue')).not.toThrow(/secret/);
  });

  it('refuses what is no string', () => {
    expect(codeOf(() => bullConnection({ url: ['redis://cache'] as never }, 'queue'))).toBe('INVALID_OPTIONS');
  });
});

describe('bullPrefix', () => {
  it('is a hash tag, once', () => {
    expect(bullPrefix('millrace')).toBe('{millrace}');
    expect(bullPrefix('{millrace}')).toBe('{millrace}');
  });

  it.each(['', 'a:b', '{}', '{{a}}', 'a b', 7])('refuses %j', (prefix) => {
    expect(codeOf(() => bullPrefix(prefix as string))).toBe('INVALID_NAME');
  });
});
