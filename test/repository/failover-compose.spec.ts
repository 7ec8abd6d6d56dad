import { describe, expect, it } from '@jest/globals';
import { execFile, execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort, onServer } from '@millrace/redis';
import { startTestRedis, type TestRedis } from '@millrace/testing';
import { composeOf, missingMounts, type Service } from './compose.js';
import { has, pathOf, read } from './repository.js';

const plain = composeOf('docker/compose.yaml');
const sentinel = composeOf('docker/compose.sentinel.yaml');
const cluster = composeOf('docker/compose.cluster.yaml');
const FILES = [['docker/compose.sentinel.yaml', sentinel], ['docker/compose.cluster.yaml', cluster]] as const;

const SERVERS = [1, 2, 3].map((number) => `redis-${number}`);
const SENTINELS = [1, 2, 3].map((number) => `sentinel-${number}`);
const NODES = Array.from({ length: 9 }, (_, index) => `node-${index + 1}`);
const REDIS_VARIABLE = /^REDIS_/;

/** The variables of an application that do not say where Redis is. */
function otherVariables({ environment = {} }: Service): [string, string | number][] {
  return Object.entries(environment).filter(([name]) => !REDIS_VARIABLE.test(name));
}

/** The lines that a server adds to its configuration. */
function linesOf({ command = [] }: Service): string[] {
  return command.slice(1);
}

/** The lines as arguments of a server. */
function argumentsOf(lines: readonly string[]): string[] {
  return lines.flatMap((line) => `--${line}`.split(' '));
}

describe.each(FILES)('%s', (path, compose) => {
  const services = Object.entries(compose.services);

  it('has the PostgreSQL and the applications of compose.yaml, which find Redis in another way', () => {
    expect(compose.services.postgres).toEqual(plain.services.postgres);
    for (const name of ['server', 'worker']) {
      const [own, ofPlain] = [compose.services[name]!, plain.services[name]!];
      expect(otherVariables(own)).toEqual(otherVariables(ofPlain));
      expect({ ...own, environment: {}, depends_on: {} }).toEqual({ ...ofPlain, environment: {}, depends_on: {} });
      expect(own.environment).not.toHaveProperty('REDIS_URL');
    }
  });

  it('starts the images of compose.yaml', () => {
    const images = new Set(Object.values(plain.services).map(({ image }) => image));
    expect(services.filter(([, { image }]) => !images.has(image)).map(([name]) => name)).toEqual([]);
  });

  it('mounts files and volumes that exist, and no volume twice', () => {
    expect(services.flatMap(([, service]) => missingMounts(service, compose, has))).toEqual([]);
    const used = services.flatMap(([, { volumes = [] }]) => volumes.map((volume) => volume.split(':')[0]!)).filter((source) => !source.startsWith('.'));
    expect(used.sort()).toEqual(Object.keys(compose.volumes).sort());
  });

  it('runs configurations and scripts at the places where it mounts them', () => {
    for (const [name, { command = [], entrypoint = [], volumes = [] }] of services) {
      const places = volumes.map((volume) => volume.split(':')[1]!);
      const run = [...entrypoint, ...command].filter((word) => word.startsWith('/etc/'));
      expect([name, run.filter((place) => !places.includes(place))]).toEqual([name, []]);
    }
  });

  it('starts a service when those that it needs are healthy, or have ended well', () => {
    for (const [, { depends_on: needs = {} }] of services) {
      for (const [name, { condition }] of Object.entries(needs)) {
        const needed = compose.services[name];
        expect([name, condition]).toEqual([name, needed?.healthcheck ? 'service_healthy' : 'service_completed_successfully']);
        if (!needed?.healthcheck) expect(needed?.restart).toBe('on-failure');
      }
    }
  });

  it('publishes the server alone, and says in its head where to put the token that it needs', () => {
    expect(services.filter(([, { ports }]) => ports !== undefined).map(([name]) => name)).toEqual(['server']);
    const head = read(path).split('\nname:')[0];
    expect(head).toContain('echo "MILLRACE_TOKEN=$(openssl rand -hex 32)" > docker/.env');
    expect(head).toContain(`docker compose -f ${path} up --build`);
  });
});

describe('docker/compose.sentinel.yaml', () => {
  it('has a primary, two replicas of it and three Sentinels, and applications wait for all of them', () => {
    const { server, worker } = sentinel.services;
    expect(Object.keys(sentinel.services)).toEqual([...SERVERS, ...SENTINELS, 'postgres', 'server', 'worker']);
    const following = SERVERS.map((name) => linesOf(sentinel.services[name]!).find((line) => line.startsWith('replicaof')));
    expect(following).toEqual([undefined, 'replicaof redis-1 6379', 'replicaof redis-1 6379']);
    for (const application of [server, worker]) expect(Object.keys(application!.depends_on!)).toEqual([...SERVERS, ...SENTINELS, 'postgres']);
  });

  it.each(SERVERS)('lets %s write to its disk, never evict, and take no writes that no replica would get', (name) => {
    const { command = [] } = sentinel.services[name]!;
    expect(command[0]).toBe('/etc/millrace/redis.conf');
    expect(command).toEqual(expect.arrayContaining(['min-replicas-to-write 1', 'min-replicas-max-lag 2', `replica-announce-ip ${name}`]));
  });

  it('tells applications where the Sentinels are, and the name of what they watch', () => {
    const lines = read('docker/sentinel.conf').split('\n');
    expect(lines).toEqual(expect.arrayContaining(['port 26379', 'sentinel monitor millrace redis-1 6379 2', 'sentinel resolve-hostnames yes']));
    const where = { REDIS_SENTINELS: SENTINELS.map((name) => `${name}:26379`).join(','), REDIS_SENTINEL_PRIMARY: 'millrace' };
    for (const name of ['server', 'worker']) expect(sentinel.services[name]?.environment).toMatchObject(where);
  });
});

describe('docker/compose.cluster.yaml', () => {
  it('has nine nodes, of which one service makes three primaries with two replicas each', () => {
    expect(Object.keys(cluster.services)).toEqual([...NODES, 'cluster', 'postgres', 'server', 'worker']);
    const addresses = NODES.map((name) => cluster.services[name]!.networks!.default!.ipv4_address);
    expect(new Set(addresses).size).toBe(NODES.length);
    const prefix = cluster.networks!.default!.ipam.config[0]!.subnet.replace(/0\/24$/, '');
    expect(addresses.filter((address) => !address.startsWith(prefix))).toEqual([]);
    expect(cluster.services.cluster?.command).toEqual(['2', ...addresses.map((address) => `${address}:6379`)]);
    expect(Object.keys(cluster.services.cluster!.depends_on!)).toEqual(NODES);
  });

  it.each(NODES)('lets %s write to its disk, never evict, serve what is left, and announce its name', (name) => {
    const { command = [] } = cluster.services[name]!;
    expect(command).toEqual([
      '/etc/millrace/redis.conf', 'cluster-enabled yes', 'cluster-node-timeout 3000', 'cluster-require-full-coverage no',
      'min-replicas-to-write 1', 'min-replicas-max-lag 2', `cluster-announce-hostname ${name}`, 'cluster-preferred-endpoint-type hostname',
    ]);
  });

  it('tells applications of nodes that there are, and lets them wait until the Cluster is formed', () => {
    for (const name of ['server', 'worker']) {
      const { environment, depends_on: needs } = cluster.services[name]!;
      const named = String(environment?.REDIS_CLUSTER_NODES).split(',');
      expect(named.filter((address) => !NODES.some((node) => address === `${node}:6379`))).toEqual([]);
      expect(named.length).toBeGreaterThan(1);
      expect(needs?.cluster).toEqual({ condition: 'service_completed_successfully' });
    }
  });
});

describe('the configurations that servers get', () => {
  it.each([['redis-1', sentinel], ['node-1', cluster]])('are taken by Redis: %s', async (name, compose) => {
    const lines = linesOf(compose.services[name]!);
    const redis = await startTestRedis({ extra: argumentsOf([...lines, ...(compose === cluster ? [`cluster-port ${await freePort()}`] : [])]) });
    const set = lines.map((line) => line.split(' ') as [string, string]);
    const found = await onServer(redis, (call) => Promise.all(set.map(([setting]) => call('CONFIG', 'GET', setting))));
    await redis.stop();
    expect(found).toEqual(set);
  });
});

const run = promisify(execFile);

describe('docker/start-redis.sh', () => {
  it('adds lines to a copy of the configuration once, and keeps what is written into it later', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-start-'));
    // In place of the server that would run on: it says how it was called.
    writeFileSync(join(folder, 'redis-server'), '#!/bin/sh\necho "$@"\n', { mode: 0o755 });
    const start = async (...words: string[]): Promise<string> => {
      const env = { ...process.env, PATH: `${folder}:${process.env['PATH'] ?? ''}` };
      return (await run('sh', [pathOf('docker/start-redis.sh'), ...words], { cwd: folder, env })).stdout.trim();
    };
    const copy = join(folder, 'redis.conf');
    try {
      expect(await start(pathOf('docker/redis.conf'), 'replicaof redis-1 6379', 'min-replicas-to-write 1')).toBe(copy);
      const first = `${read('docker/redis.conf')}\nreplicaof redis-1 6379\nmin-replicas-to-write 1\n`;
      expect(readFileSync(copy, 'utf8')).toBe(first);
      writeFileSync(copy, 'replicaof redis-2 6379\n');
      await start(pathOf('docker/redis.conf'), 'replicaof redis-1 6379');
      expect(readFileSync(copy, 'utf8')).toBe('replicaof redis-2 6379\n');
      expect(await start(pathOf('docker/sentinel.conf'))).toBe(`${join(folder, 'sentinel.conf')} --sentinel`);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});

function hasClient(): boolean {
  try {
    execFileSync('redis-cli', ['--version']);
    return true;
  } catch {
    return false;
  }
}

async function startNode(): Promise<TestRedis> {
  const lines = ['cluster-enabled yes', `cluster-port ${await freePort()}`, 'repl-diskless-sync-delay 0'];
  return startTestRedis({ extra: argumentsOf(lines) });
}

(hasClient() ? describe : describe.skip)('docker/form-cluster.sh', () => {
  it('forms a Cluster whose replicas are in step, and leaves it as it is from then on', async () => {
    const nodes = await Promise.all(Array.from({ length: 6 }, startNode));
    const form = async (): Promise<string> => {
      const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`);
      return (await run('sh', [pathOf('docker/form-cluster.sh'), '1', ...addresses])).stdout;
    };
    const state = (): Promise<string> => onServer(nodes[0]!, async (call) => String(await call('CLUSTER', 'SLOTS')));
    try {
      await form();
      const roles = await Promise.all(nodes.map((node) => onServer(node, async (call) => String(await call('INFO', 'replication')))));
      expect(roles.filter((text) => text.includes('role:master') && text.includes('connected_slaves:1'))).toHaveLength(3);
      expect(roles.filter((text) => text.includes('master_link_status:up'))).toHaveLength(3);
      const before = await state();
      expect(await form()).toBe('The Cluster is formed.\n');
      expect(await state()).toBe(before);
    } finally {
      await Promise.all(nodes.map((node) => node.stop()));
    }
  }, 60_000);
});
