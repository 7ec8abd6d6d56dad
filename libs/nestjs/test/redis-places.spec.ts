import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { isMillraceError } from '@millrace/core';
import type { SentinelTarget } from '@millrace/redis';
import { ClusterSite, SentinelSite, waitFor } from '@millrace/testing';
import { type DynamicModule, type INestApplicationContext, Injectable } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { IsInt } from 'class-validator';
import { Job, JobHandler, JobQueue, MillraceModule, Publisher, Subscribe, Topic } from '@millrace/nestjs';
import { readSettings } from '../src/config/settings.js';

const targetOf = (options: object, env: NodeJS.ProcessEnv = {}): unknown => readSettings(options, env).redis;

function problemOf(options: object, env: NodeJS.ProcessEnv = {}): string {
  try {
    readSettings(options, env);
  } catch (error) {
    if (isMillraceError(error)) return [error.message, ...error.problems].join('\n');
    throw error;
  }
  throw new Error('It was taken.');
}

const NODES = [{ host: 'a', port: 7000 }, { host: '::1', port: 6379 }];

describe('where Redis is', () => {
  it('may be a Cluster, in the options and in the environment', () => {
    const natMap = { 'a:7000': { host: '127.0.0.1', port: 1 } };
    const target = { cluster: { nodes: NODES, natMap }, username: 'shop', password: 'p,=:@#', tls: {} };
    const options = { cluster: { nodes: ['a:7000', { host: '::1', port: 6379 }], natMap: { 'a:7000': '127.0.0.1:1' } } };
    expect(targetOf({ redis: { ...options, username: 'shop', password: 'p,=:@#', tls: true } })).toEqual(target);
    expect(targetOf({}, {
      REDIS_CLUSTER_NODES: 'a:7000, [::1]', REDIS_NAT_MAP: 'a:7000=127.0.0.1:1', REDIS_USERNAME: 'shop', REDIS_PASSWORD: 'p,=:@#', REDIS_TLS: '1',
    })).toEqual(target);
    expect(targetOf({}, { REDIS_CLUSTER_NODES: 'a' })).toEqual({ cluster: { nodes: [{ host: 'a', port: 6379 }], natMap: {} } });
  });

  it('may be a primary that Sentinels watch', () => {
    const sentinel = { nodes: [{ host: 'a', port: 26379 }], primary: 'main', natMap: {}, username: 's', password: 't' };
    const target = { sentinel, database: 0, password: 'p' };
    expect(targetOf({ redis: { sentinel: { nodes: ['a'], primary: 'main', username: 's', password: 't' }, password: 'p' } })).toEqual(target);
    expect(targetOf({}, {
      REDIS_SENTINELS: 'a', REDIS_SENTINEL_PRIMARY: 'main', REDIS_SENTINEL_USERNAME: 's', REDIS_SENTINEL_PASSWORD: 't', REDIS_PASSWORD: 'p',
    })).toEqual(target);
  });

  it('may be behind Sentinels with certificates of their own, which default to those of the servers', () => {
    const tlsOf = (env: NodeJS.ProcessEnv): unknown => {
      const { tls, sentinel } = targetOf({}, { REDIS_SENTINELS: 'a', REDIS_SENTINEL_PRIMARY: 'main', ...env }) as SentinelTarget;
      return { servers: tls, sentinels: sentinel.tls };
    };
    expect(tlsOf({})).toEqual({});
    expect(tlsOf({ REDIS_SENTINEL_TLS: '0' })).toEqual({});
    expect(tlsOf({ REDIS_SENTINEL_TLS: '1' })).toEqual({ sentinels: {} });
    expect(tlsOf({ REDIS_TLS: '1' })).toEqual({ servers: {} });
    expect(tlsOf({ MILLRACE_REDIS_SENTINEL_SERVERNAME: 'b' })).toEqual({ sentinels: { servername: 'b' } });
    expect(tlsOf({ MILLRACE_REDIS_SERVERNAME: 'c' })).toEqual({ servers: { servername: 'c' } });
    expect(tlsOf({ MILLRACE_REDIS_SERVERNAME: 'c', REDIS_SENTINEL_TLS: '1' })).toEqual({ servers: { servername: 'c' }, sentinels: { servername: 'c' } });
    const both = { MILLRACE_REDIS_SERVERNAME: 'c', MILLRACE_REDIS_SENTINEL_SERVERNAME: 'b' };
    expect(tlsOf(both)).toEqual({ servers: { servername: 'c' }, sentinels: { servername: 'b' } });
    expect(problemOf({}, { REDIS_SENTINEL_TLS: 'yes' })).toContain('REDIS_SENTINEL_TLS');
  });

  it('is said once, by the options before the environment', () => {
    expect(problemOf({}, { REDIS_URL: 'redis://a', REDIS_SENTINELS: 'b' })).toContain('REDIS_URL and REDIS_SENTINELS both say where Redis is');
    expect(problemOf({ redis: { cluster: { nodes: ['a'] }, sentinel: { nodes: ['b'], primary: 'p' } } })).toContain('both cluster and sentinel');
    expect(problemOf({ redis: { cluster: { nodes: ['a'] }, database: 3 } })).toContain('a Redis Cluster has the database 0 alone');
  });

  it.each([
    [{ REDIS_URL: 'redis://a', REDIS_TLS: '1' }, 'REDIS_TLS asks for encrypted connections, and REDIS_URL does not begin with rediss://'],
    [{ REDIS_TLS: 'true' }, 'REDIS_TLS asks for encrypted connections'],
    [{ REDIS_URL: 'redis://:s3cret@a', REDIS_PASSWORD: 'other' }, 'REDIS_PASSWORD would not be used: REDIS_URL has a user and a password of its own'],
    [{ REDIS_SENTINELS: '', REDIS_SENTINEL_PRIMARY: 'p' }, 'REDIS_SENTINEL_PRIMARY is set, and REDIS_SENTINELS is not'],
    [{ REDIS_CLUSTER_NODES: 'a', MILLRACE_REDIS_SENTINEL_CA: 'x' }, 'MILLRACE_REDIS_SENTINEL_CA is set, and REDIS_SENTINELS is not'],
    [{ REDIS_URL: 'redis://a', REDIS_NAT_MAP: 'a:1=b:2' }, 'REDIS_NAT_MAP is set'],
  ])('is not guessed where variables contradict each other: %j', (env, problem) => {
    expect(problemOf({}, env)).toContain(problem);
    expect(problemOf({}, env)).not.toMatch(/s3cret|other/);
  });

  it('takes the user and the password of the environment for a URL without', () => {
    expect(targetOf({}, { REDIS_URL: 'redis://a:1/2', REDIS_PASSWORD: 'p@:#' })).toEqual({ url: 'redis://:p%40%3A%23@a:1/2' });
    expect(targetOf({}, { REDIS_USERNAME: 'shop', REDIS_PASSWORD: 'p' })).toEqual({ url: 'redis://shop:p@127.0.0.1:6379' });
    expect(targetOf({}, { REDIS_URL: 'redis://a', REDIS_TLS: '0', REDIS_SENTINEL_TLS: '0' })).toEqual({ url: 'redis://a' });
  });

  it('names the variable, and the way to write it, for what is no address', () => {
    const said = problemOf({}, { REDIS_CLUSTER_NODES: 'redis://127.0.0.1:12002,,' });
    expect(said).toContain('REDIS_CLUSTER_NODES holds something that is no address');
    expect(said).toContain('leave out redis://');
    expect(said.match(/- "" is no address/g)).toHaveLength(1);
    expect(problemOf({}, { REDIS_SENTINELS: 'a:b', REDIS_SENTINEL_PRIMARY: 'p' })).toContain('REDIS_SENTINELS holds');
    expect(targetOf({ redis: 'redis://a' }, { REDIS_CLUSTER_NODES: 'b' })).toEqual({ url: 'redis://a' });
  });

  it('is refused with all problems, and the nearest names, and never shows a password', () => {
    const wrong = problemOf({ redis: { cluster: { nodse: [], nodes: ['a:70000', 'b:c', ' '] }, pasword: 'secret', password: 7 } });
    for (const part of ['cluster', "did you mean 'nodes'", "did you mean 'password'"]) expect(wrong).toContain(part);
    expect(wrong).not.toContain('secret');
    expect(problemOf({ redis: { cluster: { nodes: ['a:70000', 'b'] } } })).toContain('"a:70000" is no address: write host:port');
    expect(problemOf({ redis: { cluster: { nodes: [] } } })).toContain('not empty');
    expect(problemOf({ redis: { cluster: { nodes: ['a'], natMap: { a: 'b:1' } } } })).toContain('needs ports');
    expect(problemOf({}, { REDIS_SENTINELS: 'a' })).toContain('primary must be the name under which the Sentinels watch it');
    expect(problemOf({}, { REDIS_CLUSTER_NODES: 'a,,b' })).toContain('is no address');
  });
});

@Topic<Placed>('places.placed', { key: ({ value }) => String(value), partitions: 6 })
class Placed {
  @IsInt() value!: number;
}

@Job('places-check', { queue: 'places-checks' })
class Check {
  @IsInt() value!: number;
}

@Injectable()
class Handlers {
  readonly values: number[] = [];

  @Subscribe(Placed, { group: 'g' })
  placed({ value }: Placed): void {
    this.values.push(value);
  }
}

@Injectable()
class Checks {
  readonly checked: number[] = [];

  @JobHandler(Check)
  check({ value }: Check): void {
    this.checked.push(value);
  }
}

describe('an application', () => {
  let cluster: ClusterSite;
  let sentinels: SentinelSite;

  beforeAll(async () => void ([cluster, sentinels] = await Promise.all([ClusterSite.start(), SentinelSite.start()])));
  afterAll(async () => {
    await Promise.all([cluster.stop(), sentinels.stop()]);
  });

  const VALUES = Array.from({ length: 30 }, (_, value) => value);

  it('finds a Cluster by the URL of one of its nodes, but not for queues', async () => {
    const { url } = cluster.cluster.nodes[0]!;
    const start = async (features: DynamicModule[]): Promise<INestApplicationContext> => {
      const imports = [MillraceModule.forRoot({ redis: url, lease: '1s' }), ...features];
      const app = await NestFactory.createApplicationContext(
        { module: class {}, imports, providers: [Handlers] }, { logger: false, abortOnError: false },
      );
      return app.init();
    };
    const app = await start([]);
    await app.get(Publisher).publishMany(Placed, VALUES.map((value) => ({ payload: { value } })));
    await waitFor(() => app.get(Handlers).values.length === VALUES.length, { what: 'all to be handled' });
    await app.close();
    await expect(start([MillraceModule.forFeature([Check])])).rejects.toMatchObject({
      code: 'INVALID_OPTIONS', message: expect.stringContaining('REDIS_CLUSTER_NODES'),
    });
  });

  it.each([
    ['on a Cluster', () => ({ cluster: { nodes: cluster.cluster.nodes.map(({ port }) => `127.0.0.1:${port}`) } })],
    ['behind Sentinels', () => ({ sentinel: { ...sentinels.target.sentinel, nodes: [...sentinels.target.sentinel.nodes] } })],
  ])('publishes, handles and works on queues %s', async (_, redisOf) => {
    const app = await NestFactory.createApplicationContext({
      module: class {},
      imports: [MillraceModule.forRoot({ redis: redisOf() as never, lease: '1s' }), MillraceModule.forFeature([Check])],
      providers: [Handlers, Checks],
    }, { logger: false });
    await app.init();
    await app.get(Publisher).publishMany(Placed, VALUES.map((value) => ({ payload: { value } })));
    await app.get(JobQueue).enqueueMany(Check, VALUES.map((value) => ({ payload: { value } })));
    await waitFor(() => app.get(Handlers).values.length === VALUES.length, { what: 'all to be handled' });
    await waitFor(() => app.get(Checks).checked.length === VALUES.length, { what: 'all jobs to be done' });
    await app.close();
  });
});
