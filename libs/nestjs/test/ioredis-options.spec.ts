import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { isMillraceError } from '@millrace/core';
import { connectRedis, type RedisTarget } from '@millrace/redis';
import { Authority, ClusterSite, type Pair, SentinelSite, startTestRedis } from '@millrace/testing';
import { Cluster, type ClusterNode, type ClusterOptions, Redis, type RedisOptions } from 'ioredis';
import { readSettings } from '../src/config/settings.js';

type Given = RedisOptions | { cluster: { nodes: ClusterNode[]; options?: ClusterOptions } };

const targetOf = (ioredis: Given, env: NodeJS.ProcessEnv = {}): RedisTarget => readSettings({ redis: { ioredis } }, env).redis;

function problemsOf(ioredis: unknown, env: NodeJS.ProcessEnv = {}): readonly string[] {
  try {
    readSettings({ redis: { ioredis } }, env);
  } catch (error) {
    if (isMillraceError(error) && error.code === 'INVALID_OPTIONS') return [error.message, ...error.problems];
    throw error;
  }
  throw new Error('It was taken.');
}

let authority: Authority;
let pair: Pair;
beforeAll(() => {
  authority = new Authority();
  pair = authority.sign('client', 'DNS:client.test');
});
afterAll(() => authority.remove());

const text = (path: string): string => readFileSync(path, 'utf8');

describe('the options of a client of ioredis', () => {
  it('say where one server is', () => {
    expect(targetOf({})).toEqual({ url: 'redis://127.0.0.1:6379/0' });
    expect(targetOf({ host: 'cache', port: '6380' as never, username: 'shop', password: 'p:@#', db: 3, family: 4 })).toEqual({ url: 'redis://shop:p%3A%40%23@cache:6380/3' });
    expect(targetOf({ host: '::1', password: '', username: null as never })).toEqual({ url: 'redis://[::1]:6379/0' });
    expect(targetOf({ path: '/run/redis.sock' })).toEqual({ url: 'unix:///run/redis.sock' });
  });

  it('hold certificates as text, in parts and as bytes', () => {
    const tls = { ca: [Buffer.from(text(authority.ca)), text(authority.ca)], cert: Buffer.from(text(pair.cert)), key: text(pair.key), servername: 'redis.test', rejectUnauthorized: true };
    const ca = `${text(authority.ca)}\n${text(authority.ca)}`;
    expect(targetOf({ host: 'cache', tls })).toEqual({
      url: 'rediss://cache:6379/0', tls: { ca, cert: text(pair.cert), key: text(pair.key), servername: 'redis.test' },
    });
    expect(targetOf({ host: 'cache', tls: {} }, { MILLRACE_REDIS_CA: authority.ca })).toEqual({ url: 'rediss://cache:6379/0', tls: { ca: text(authority.ca) } });
  });

  it('say where Sentinels are', () => {
    const options: RedisOptions = {
      sentinels: [{ host: 'a' }, { host: '::1', port: 26380, family: 6 }], name: 'main', sentinelUsername: 's', sentinelPassword: 't', sentinelTLS: {},
      username: 'shop', password: 'p', db: 2, tls: {}, enableTLSForSentinelMode: true, role: 'master', natMap: { '::1:6379': { host: 'a', port: 1 } },
    };
    const nodes = [{ host: 'a', port: 26379 }, { host: '::1', port: 26380 }];
    expect(targetOf(options)).toEqual({
      sentinel: { nodes, primary: 'main', username: 's', password: 't', tls: {}, natMap: { '::1:6379': { host: 'a', port: 1 } } },
      database: 2, username: 'shop', password: 'p', tls: {},
    });
  });

  it('say where the nodes of a Cluster are, with the arguments of its client', () => {
    const nodes = ['a:7000', 'redis://b', 'redis://c:1/', '[::1]:7000', 7001, '7002', { host: 'd' }, { host: '::1', port: 7003, family: 6 }];
    const options: ClusterOptions = {
      natMap: { 'a:7000': { host: 'b', port: 1 } }, scaleReads: 'master', redisOptions: { username: 'shop', password: 'p', tls: {}, db: 0, maxRetriesPerRequest: null },
    };
    expect(targetOf({ cluster: { nodes, options } })).toEqual({
      cluster: {
        nodes: [
          { host: 'a', port: 7000 }, { host: 'b', port: 6379 }, { host: 'c', port: 1 }, { host: '::1', port: 7000 }, { host: '127.0.0.1', port: 7001 },
          { host: '127.0.0.1', port: 7002 }, { host: 'd', port: 6379 }, { host: '::1', port: 7003 },
        ],
        natMap: { 'a:7000': { host: 'b', port: 1 } },
      },
      username: 'shop', password: 'p', tls: {},
    });
    expect(targetOf({ cluster: { nodes: ['a'] } })).toEqual({ cluster: { nodes: [{ host: 'a', port: 6379 }], natMap: {} } });
  });

  it.each<[object, string]>([
    [{ keyPrefix: 'app:' }, 'keyPrefix: Millrace has a prefix for all its keys'],
    [{ retryStrategy: () => 1 }, 'retryStrategy: Millrace decides itself when it connects again'],
    [{ retryStrategy: null }, 'retryStrategy: Millrace decides itself when it connects again'],
    [{ maxRetriesPerRequest: 20 }, 'maxRetriesPerRequest: Millrace decides itself'],
    [{ enableOfflineQueue: true }, 'enableOfflineQueue: Millrace decides itself'],
    [{ reconnectOnError: () => 2 }, 'reconnectOnError: Millrace decides itself'],
    [{ readOnly: true }, 'readOnly: all commands go to primaries'],
    [{ enableAutoPipelining: true }, 'enableAutoPipelining: Millrace decides itself which commands go together'],
    [{ commandTimeout: 100 }, 'commandTimeout: Millrace has times of its own'],
    [{ connectionName: 'shop' }, 'connectionName: it has no meaning here'],
    [{ constructor: 7 }, "constructor: option 'constructor' is not known"],
    [{ hots: 'cache' }, "hots: option 'hots' is not known: did you mean 'host'?"],
    [{ tls: { rejectUnauthorized: false } }, 'tls.rejectUnauthorized: the certificate of Redis is always checked'],
    [{ tls: { checkServerIdentity: () => undefined } }, 'tls.checkServerIdentity: the certificate of Redis is always checked'],
    [{ tls: 'RedisCloudFixed' }, 'tls must be true, false or'],
    [{ path: '/run/redis.sock', password: 'secret' }, 'password: a socket'],
    [{ host: 'user:secret@cache' }, 'host must be a name or an address alone'],
    [{ port: 0 }, 'port must not be less than 1'],
    [{ name: 'main' }, 'name: it has no meaning here'],
    [{ sentinels: [{ host: 'a' }], name: 'main', tls: {} }, 'tls: ioredis encrypts nothing by it'],
    [{ sentinels: [{ host: 'a' }], name: 'main', role: 'slave' }, 'role: all commands go to primaries'],
    [{ sentinels: [{ host: 'a', password: 'secret' }], name: 'main' }, 'sentinels[0].password: all nodes have the same'],
    [{ sentinels: [{ host: 'a' }] }, 'name: it is missing'],
    [{ sentinels: [], name: 'main' }, 'not empty'],
    [{ sentinels: 'a', name: 'main' }, 'nodes must be an array'],
    [{ sentinels: [{ host: 'a' }], name: 'main', natMap: 'a:1' }, 'natMap must be'],
    [{ sentinels: [{ host: 'a' }], name: 'main', natMap: () => null }, 'natMap: it must be an object'],
    [{ cluster: { nodes: ['a'], options: { scaleReads: 'slave' } } }, 'cluster.options.scaleReads: all commands go to primaries'],
    [{ cluster: { nodes: ['a'], options: { natMap: () => null } } }, 'cluster.options.natMap: it must be an object'],
    [{ cluster: { nodes: ['a'], options: { dnsLookup: () => undefined } } }, 'cluster.options.dnsLookup: names of nodes are kept as they are'],
    [{ cluster: { nodes: ['a'], options: { redisOptions: { keyPrefix: 'a:' } } } }, 'cluster.options.redisOptions.keyPrefix: Millrace has a prefix'],
    [{ cluster: { nodes: ['a'], options: { redisOptions: { db: 1 } } } }, 'cluster.options.redisOptions.db: it has no meaning here'],
    [{ cluster: { nodes: ['a'], options: { redisOptions: { tls: { rejectUnauthorized: false } } } } }, 'cluster.options.redisOptions.tls.rejectUnauthorized: the certificate'],
    [{ cluster: { nodes: [{ host: 'a', password: 'secret' }] } }, 'cluster.nodes[0].password: all nodes have the same'],
    [{ cluster: { nodes: ['redis://user:secret@a:1'] } }, '"redis://user:***@a:1" is no address'],
    [{ cluster: { nodes: ['a'] }, host: 'b' }, 'host: it has no meaning here'],
    [{ cluster: ['a'] }, 'cluster must be an object'],
    [{ cluster: { nodes: ['a'], options: 7 } }, 'cluster.options must be an object'],
  ])('are refused by name, with the reason, and without a password: %j', (given, problem) => {
    const problems = problemsOf(given).join('\n');
    expect(problems).toContain(problem);
    expect(problems).not.toContain('secret');
  });

  it('are refused all at once', () => {
    expect(problemsOf({ keyPrefix: 'a', readOnly: true, tls: { rejectUnauthorized: false } })).toHaveLength(4);
  });

  it.each([() => new Redis({ lazyConnect: true }), () => new Cluster(['a'], { lazyConnect: true })])('are not the client itself: %s', (clientOf) => {
    const client = clientOf();
    expect(() => readSettings({ redis: client }, {})).toThrow(/Pass the options that the client was made of/);
    for (const given of [client, { cluster: client }]) expect(problemsOf(given).join()).toContain('Pass the options that the client was made of');
    client.disconnect();
  });

  it.each(['redis://user:secret@cache', 7, null, [], undefined])('are not %j', (given) => {
    expect(problemsOf(given).join()).toMatch(/must be the options of a client of ioredis|ioredis (should|must) not be/);
    expect(problemsOf(given).join()).not.toContain('secret');
  });

  it('stand alone', () => {
    expect(() => readSettings({ redis: { ioredis: {}, host: 'a' } }, {})).toThrow(/not configured well/);
  });

  it('are known by name, each that ioredis has', () => {
    const [client, cluster] = [new Redis({ lazyConnect: true }), new Cluster(['a'], { lazyConnect: true })];
    const unheard = (options: object): object => Object.fromEntries(Object.keys(options).map((name) => [name, Symbol('value')]));
    const { lazyConnect: _, ...own } = unheard(client.options) as Record<string, unknown>;
    const ofCluster = { cluster: { nodes: ['a'], options: unheard(cluster.options) } };
    const problems = [...problemsOf({ ...own, sentinels: undefined }), ...problemsOf(ofCluster)];
    expect(problems.length).toBeGreaterThan(30);
    expect(problems.filter((problem) => problem.includes('is not known'))).toEqual([]);
    client.disconnect();
    cluster.disconnect();
  });
});

describe('a target from the options of ioredis', () => {
  it('leads to the server, the Cluster and the Sentinels that clients of ioredis are led to', async () => {
    const starts = [startTestRedis(), ClusterSite.start({ replicas: 0 }), SentinelSite.start()] as const;
    const [redis, cluster, sentinels] = await Promise.all(starts);
    const places: Given[] = [
      { port: redis.port },
      { cluster: { nodes: cluster.cluster.nodes.map(({ port }) => ({ host: '127.0.0.1', port })) } },
      { sentinels: [...sentinels.target.sentinel.nodes], name: sentinels.target.sentinel.primary },
    ];
    for (const place of places) {
      const topology = await connectRedis(targetOf(place));
      await topology.publishFor('ioredis').call('SET', 'ioredis', 'by Millrace');
      topology.close();
      const client = 'cluster' in place ? new Cluster(place.cluster.nodes) : new Redis(place);
      expect(await client.get('ioredis')).toBe('by Millrace');
      client.disconnect();
    }
    await Promise.all([redis.stop(), cluster.stop(), sentinels.stop()]);
  });
});
