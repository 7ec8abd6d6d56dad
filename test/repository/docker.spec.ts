import { describe, expect, it } from '@jest/globals';
import { type Duration, durationMs } from '@millrace/core';
import { parse } from 'yaml';
import { copiedFromContext, lastOf, stagesOf } from './dockerfile.js';
import { has, read } from './repository.js';

interface Service {
  image?: string;
  build?: { dockerfile: string; args: { APP: string } };
  environment?: Record<string, string | number>;
  depends_on?: Record<string, { condition: string }>;
  volumes?: string[];
  ports?: string[];
  healthcheck?: { test: string[] };
  stop_grace_period?: Duration;
}

const stages = stagesOf(read('docker/Dockerfile'));
const build = stages[0]!;
const runtime = stages.at(-1)!;
const compose = parse(read('docker/compose.yaml'), { merge: true }) as {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
};
const services = Object.entries(compose.services);
const built = services.filter(([, service]) => service.build !== undefined);
const workers = built.filter(([, service]) => service.build?.args.APP === 'worker');

describe('docker/Dockerfile', () => {
  it('builds an application that exists when none is named', () => {
    const [, app] = /^APP=(\w+)$/.exec(lastOf(build, 'ARG')) ?? [];
    expect(has(`apps/${app}/src/main.ts`)).toBe(true);
  });

  it('copies only what is there', () => {
    expect(stages.flatMap(copiedFromContext).filter((path) => !has(path))).toEqual([]);
  });

  it('installs what the lock file says and leaves behind what only the build needs', () => {
    const steps = build.filter(({ name }) => name === 'RUN').map(({ text }) => text).join('\n');
    expect(steps).toMatch(/npm ci/);
    expect(steps).toMatch(/npm prune --omit=dev/);
    expect(runtime.filter(({ name }) => name === 'RUN')).toEqual([]);
  });

  it('runs without the rights of root, and is told to stop by SIGTERM', () => {
    expect(lastOf(runtime, 'USER')).toBe('node');
    expect(lastOf(runtime, 'STOPSIGNAL')).toBe('SIGTERM');
  });

  it('starts node itself, not a shell that would keep the signal', () => {
    const check = lastOf(runtime, 'HEALTHCHECK');
    for (const command of [lastOf(runtime, 'CMD'), check.slice(check.indexOf('['))]) {
      expect((JSON.parse(command) as string[])[0]).toBe('node');
    }
  });
});

describe('docker/compose.yaml', () => {
  it('holds Redis, a server and two workers', () => {
    expect(Object.keys(compose.services)).toEqual(expect.arrayContaining(['redis', 'server', 'worker-a', 'worker-b']));
    expect(workers.map(([name]) => name)).toEqual(['worker-a', 'worker-b']);
  });

  it('builds applications that exist, by the Dockerfile', () => {
    for (const [, { build: recipe }] of built) {
      expect(has(recipe!.dockerfile)).toBe(true);
      expect(has(`apps/${recipe!.args.APP}/src/main.ts`)).toBe(true);
    }
  });

  it('runs an application module that hosts can load', () => {
    for (const [, { environment }] of built) {
      const source = String(environment?.MILLRACE_APP).replace(/^dist\//, '').replace(/\.js$/, '.ts');
      expect([source, has(source)]).toEqual([source, true]);
      expect(read(source)).toMatch(/^export (default|class AppModule|const AppModule)\b/m);
    }
  });

  it('gives the check of the image a port to ask', () => {
    for (const [, { environment }] of built) {
      expect(environment).toHaveProperty(environment?.MILLRACE_HOST === undefined ? 'MILLRACE_HEALTH_PORT' : 'MILLRACE_PORT');
    }
  });

  it('sets only variables that .env.example describes', () => {
    const described = [...read('.env.example').matchAll(/^([A-Z_]+)=/gm)].map(([, name]) => name);
    const set = built.flatMap(([, { environment = {} }]) => Object.keys(environment));
    expect(set.filter((name) => !described.includes(name))).toEqual([]);
  });

  it('opens the server to other containers only with a token that must be given', () => {
    expect(compose.services.server?.environment?.MILLRACE_TOKEN).toMatch(/^\$\{MILLRACE_TOKEN:\?/);
  });

  it('mounts files and volumes that exist', () => {
    const sources = services.flatMap(([, { volumes = [] }]) => volumes.map((volume) => volume.split(':')[0]!));
    const files = sources.filter((source) => source.startsWith('.'));
    expect(files.filter((file) => !has(`docker/${file}`))).toEqual([]);
    expect(sources.filter((source) => !files.includes(source) && !(source in compose.volumes))).toEqual([]);
  });

  it('starts a service when those that it needs are healthy', () => {
    for (const [, { depends_on: needs = {} }] of services) {
      for (const [name, { condition }] of Object.entries(needs)) {
        expect(condition).toBe('service_healthy');
        expect(compose.services[name]?.healthcheck).toBeDefined();
      }
    }
  });

  it('gives applications longer to stop than they give their handlers', () => {
    for (const [, { environment, stop_grace_period: grace }] of built) {
      const timeout = durationMs(environment?.MILLRACE_SHUTDOWN_TIMEOUT as Duration);
      expect(durationMs(grace!)).toBeGreaterThan(timeout);
    }
  });

  it('publishes the server alone, on the loopback address', () => {
    const ports = services.flatMap(([name, { ports: published = [] }]) => published.map((port) => `${name} ${port}`));
    expect(ports).toEqual(['server 127.0.0.1:3000:3000']);
  });
});

describe('docker/redis.conf', () => {
  it.each(['appendonly yes', 'appendfsync everysec', 'maxmemory-policy noeviction'])('says %s', (setting) => {
    expect(read('docker/redis.conf').split('\n')).toContain(setting);
  });
});
