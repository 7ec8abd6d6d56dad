import { describe, expect, it } from '@jest/globals';
import { isMillraceError } from '@millrace/core';
import { readSettings } from '../src/config/settings.js';

const targetOf = (redis: object | undefined, env: NodeJS.ProcessEnv = {}): unknown => readSettings({ redis }, env).redis;

/** The words of the error, which is one of the configuration. */
function problemOf(redis: object | undefined, env: NodeJS.ProcessEnv = {}): string {
  try {
    readSettings({ redis }, env);
  } catch (error) {
    if (isMillraceError(error) && error.code === 'INVALID_OPTIONS') return [error.message, ...error.problems].join('\n');
    throw error;
  }
  throw new Error('It was taken.');
}

/** Each way in which a list of addresses is given. */
const LISTS: [string, (address: string) => string][] = [
  ['the nodes of a Cluster', (address) => problemOf({ cluster: { nodes: ['a', address] } })],
  ['Sentinels', (address) => problemOf({ sentinel: { primary: 'main', nodes: ['a', address] } })],
  ['announced addresses of a Cluster', (address) => problemOf({ cluster: { nodes: ['a'], natMap: { [address]: 'b:1' } } })],
  ['reachable addresses of a Cluster', (address) => problemOf({ cluster: { nodes: ['a'], natMap: { 'b:1': address } } })],
  ['reachable addresses behind Sentinels', (address) => problemOf({ sentinel: { primary: 'main', nodes: ['a'], natMap: { 'b:1': address } } })],
  ['REDIS_CLUSTER_NODES', (address) => problemOf(undefined, { REDIS_CLUSTER_NODES: `a, ${address}` })],
  ['REDIS_SENTINELS', (address) => problemOf(undefined, { REDIS_SENTINELS: `a, ${address}`, REDIS_SENTINEL_PRIMARY: 'main' })],
  ['REDIS_NAT_MAP', (address) => problemOf(undefined, { REDIS_CLUSTER_NODES: 'a', REDIS_NAT_MAP: `b:1=${address}` })],
];

const WRONG = [
  'user:secret@b:6379', 'redis://user:secret@b:6379', ':secret@b', 'b:secret', 'b:0', 'b:65536', 'b:-1', 'b:6379/0', ':6379', '[]:6379', '[b]:6379', '::1', '::1:6379',
  '[::1', 'a b:6379', 'b:',
];

describe.each(LISTS)('%s', (_, problemWith) => {
  it.each(WRONG)('do not take %p, and never show a password', (address) => {
    const problem = problemWith(address);
    expect(problem).toContain('is no address: write host:port, or [::1]:port; the port is 1 to 65535');
    expect(problem).not.toContain('secret');
  });
});

describe('addresses', () => {
  it('that hold a user are told where the user goes', () => {
    expect(problemOf({ cluster: { nodes: ['user:secret@b:6379'] } })).toContain('"***@b:6379" is no address');
    expect(problemOf({ cluster: { nodes: ['user:secret@b:6379'] } })).toContain('a user and a password have options of their own');
  });

  it.each([
    { host: '', port: 1 }, { host: 'user:secret@b', port: 1 }, { host: 'b', port: 0 }, { host: 'b', port: 65_536 }, { host: 'b', port: '1' },
    { host: '[::1]', port: 1 }, { host: 'b' }, { host: 'b', port: 1, password: 'secret' }, null, 7, [],
  ])('in parts are not %j', (address) => {
    for (const problem of [problemOf({ cluster: { nodes: [address] } }), problemOf({ sentinel: { primary: 'main', nodes: [address] } })]) {
      expect(problem).toContain('is no address');
      expect(problem).not.toContain('secret');
    }
  });

  it('may be of IPv6, also those that nodes announce, which is without brackets', () => {
    const natMap = { '::1:6379': { host: '2001:db8::2', port: 7000 }, 'a:1': { host: '::1', port: 1 } };
    const given = { nodes: ['[::1]:7000', '[::1]'], natMap: { '[::1]:6379': '[2001:db8::2]:7000', 'a:1': { host: '::1', port: 1 } } };
    const target = { cluster: { nodes: [{ host: '::1', port: 7000 }, { host: '::1', port: 6379 }], natMap } };
    expect(targetOf({ cluster: given })).toEqual(target);
    const env = { REDIS_CLUSTER_NODES: '[::1]:7000,[::1]', REDIS_NAT_MAP: '[::1]:6379=[2001:db8::2]:7000, a:1=[::1]:1' };
    expect(targetOf(undefined, env)).toEqual(target);
  });

  it.each(['a:1', 'a:1=', '=a:1', 'a:1=b:2=c:3', 'a:1=b:2,', 'user:secret@a'])('in REDIS_NAT_MAP are pairs, which %p is not', (text) => {
    const problem = problemOf(undefined, { REDIS_CLUSTER_NODES: 'a', REDIS_NAT_MAP: text });
    expect(problem).toContain('REDIS_NAT_MAP');
    expect(problem).toContain('announced:port=reachable:port');
    expect(problem).not.toContain('secret');
  });

  it('are mapped once', () => {
    const text = problemOf(undefined, { REDIS_CLUSTER_NODES: 'a', REDIS_NAT_MAP: 'a:1=b:2,a:1=c:3' });
    const map = problemOf({ cluster: { nodes: ['a'], natMap: { 'a:1': 'b:2', ' a:1': 'c:3' } } });
    for (const problem of [text, map]) expect(problem).toContain('leads "a:1" to two addresses');
  });
});

describe('options about where Redis is', () => {
  it.each<[object, string]>([
    [{ cluster: { nodes: ['a'], natmap: {} } }, "option 'natmap' is not known: did you mean 'natMap'?"],
    [{ cluster: { nodes: ['a'], tls: true } }, "option 'tls' is not known"],
    [{ cluster: { nodes: ['a'] }, host: 'b' }, "option 'host' is not known"],
    [{ cluster: { nodes: ['a'] }, sentinel: { nodes: ['a'], primary: 'b' } }, 'both cluster and sentinel'],
    [{ cluster: { nodes: ['a'] }, tls: { caa: 'x' } }, "option 'caa' is not known: did you mean 'ca'?"],
    [{ sentinel: { nodes: ['a'], primary: 'b', pasword: 'secret' } }, "option 'pasword' is not known: did you mean 'password'?"],
    [{ sentinel: { nodes: ['a'], primary: 'b', tls: { caa: 'x' } } }, "option 'caa' is not known: did you mean 'ca'?"],
    [{ sentinel: { nodes: ['a'], primary: 'b' }, tls: { rejectUnauthorized: false } }, "option 'rejectUnauthorized' is not known"],
    [{ cluster: 'a:1' }, 'cluster'],
    [{ cluster: ['a:1'] }, 'cluster'],
    [{ cluster: null }, 'cluster'],
    [{ sentinel: null }, 'sentinel'],
    [{ cluster: { nodes: 'a:1' } }, 'nodes must be'],
    [{ cluster: { nodes: ['a'], natMap: [] } }, 'natMap must be'],
  ])('are not %j', (redis, problem) => {
    expect(problemOf(redis)).toContain(problem);
    expect(problemOf(redis)).not.toContain('secret');
  });
});
