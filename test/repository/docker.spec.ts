import { describe, expect, it } from '@jest/globals';
import { type Duration, durationMs } from '@millrace/core';
import { composeOf, missingMounts } from './compose.js';
import { commandOf, copiedFromContext, environmentOf, type Instruction, lastOf, stageNamed, stagesOf } from './dockerfile.js';
import { filesOf, has, read } from './repository.js';

const IMAGES = ['server', 'worker'];

const stages = stagesOf(read('docker/Dockerfile'));
const compose = composeOf('docker/compose.yaml');
const local = composeOf('docker/compose.local.yaml');
const services = Object.entries(compose.services);
const built = services.filter(([, service]) => service.build !== undefined);

function steps(stage: readonly Instruction[], name: string): string[] {
  return stage.filter((instruction) => instruction.name === name).map(({ text }) => text);
}

describe('docker/Dockerfile', () => {
  it('copies only what is there', () => {
    expect(stages.flatMap(copiedFromContext).filter((path) => !has(path))).toEqual([]);
  });

  it('is built on a Node with long-term support that is not about to end', () => {
    const images = stages.map(([from]) => from!.text.split(' ')[0]!).filter((image) => image.includes(':'));
    expect(new Set(images)).toEqual(new Set(['node:24-bookworm-slim']));
  });

  it('installs what the lock file says, before any source is copied, from a cache of downloads', () => {
    const build = stageNamed(stages, 'build');
    const install = build.findIndex(({ text }) => text.includes('npm ci'));
    const copied = copiedFromContext(build.slice(0, install));
    const manifests = ['package.json', 'package-lock.json', ...filesOf('libs', 'package.json'), ...filesOf('apps', 'package.json')];
    expect(copied.sort()).toEqual(manifests.sort());
    for (const stage of stages) {
      for (const step of steps(stage, 'RUN').filter((text) => text.includes('npm ci'))) {
        expect(step).toMatch(/^--mount=type=cache,target=\/root\/\.npm npm ci/);
      }
    }
  });

  it('puts into the images what is needed to run, and nothing that is needed to build', () => {
    expect(steps(stageNamed(stages, 'dependencies'), 'RUN').join()).toContain('npm ci --omit=dev');
    for (const image of IMAGES) {
      const stage = stageNamed(stages, image);
      expect(steps(stage, 'RUN')).toEqual([]);
      expect(steps(stage, 'COPY').filter((text) => text.includes('node_modules'))).toEqual([expect.stringContaining('--from=dependencies')]);
    }
  });

  it.each(IMAGES)('runs the %s without the rights of root, and tells it to stop by SIGTERM', (image) => {
    expect(lastOf(stageNamed(stages, image), 'USER')).toBe('1000:1000');
    expect(lastOf(stageNamed(stages, image), 'STOPSIGNAL')).toBe('SIGTERM');
  });

  it.each(IMAGES)('starts node itself in the %s, not a shell that would keep the signal', (image) => {
    const stage = stageNamed(stages, image);
    expect(commandOf(stage, 'CMD')).toEqual(['node', '--enable-source-maps', `/srv/dist/apps/${image}/src/main.js`]);
    expect(has(`apps/${image}/src/main.ts`)).toBe(true);
    expect(commandOf(stage, 'HEALTHCHECK')[0]).toBe('node');
  });

  it('sets only variables that .env.example describes', () => {
    const set = IMAGES.flatMap((image) => Object.keys(environmentOf(stageNamed(stages, image))));
    expect(set.filter((name) => name !== 'NODE_ENV' && !described().includes(name))).toEqual([]);
  });
});

function described(): string[] {
  return [...read('.env.example').matchAll(/^([A-Z_]+)=/gm)].map(([, name]) => name!);
}

describe('docker/compose.yaml', () => {
  it('holds Redis, PostgreSQL, a server and two workers', () => {
    expect(Object.keys(compose.services)).toEqual(['redis', 'postgres', 'server', 'worker']);
    expect(compose.services.worker?.deploy).toEqual({ replicas: 2 });
  });

  it('builds images that the Dockerfile has, each once', () => {
    expect(built.map(([, { build: recipe }]) => recipe!.target)).toEqual(IMAGES);
    for (const [, { build: recipe }] of built) {
      expect(has(recipe!.dockerfile)).toBe(true);
      expect(stageNamed(stages, recipe!.target)).not.toEqual([]);
    }
  });

  it('runs an application module that hosts can load', () => {
    for (const [, { environment }] of built) {
      const source = String(environment?.MILLRACE_APP).replace(/^\/srv\/dist\//, '').replace(/\.js$/, '.ts');
      expect([source, has(source)]).toEqual([source, true]);
      expect(read(source)).toMatch(/^export (default|class AppModule|const AppModule)\b/m);
    }
  });

  it('sets only variables that .env.example describes', () => {
    const set = built.flatMap(([, { environment = {} }]) => Object.keys(environment));
    expect(set.filter((name) => !described().includes(name))).toEqual([]);
  });

  it('asks for each variable that it cannot do without, and says in its head where to put it', () => {
    const text = read('docker/compose.yaml');
    const needed = [...text.matchAll(/\$\{(\w+):\?/g)].map(([, name]) => name!);
    expect(needed).toEqual(['MILLRACE_TOKEN']);
    const head = text.slice(0, text.indexOf('\nname:'));
    for (const name of needed) expect(head).toMatch(new RegExp(`echo "${name}=.*" > docker/\\.env`));
    expect(read('.gitignore').split('\n')).toContain('.env');
    expect(read('.dockerignore').split('\n')).toContain('**/.env');
  });

  it('opens the server to other containers only with a token that must be given', () => {
    expect(compose.services.server?.environment?.MILLRACE_TOKEN).toMatch(/^\$\{MILLRACE_TOKEN:\?/);
  });

  it('mounts files and volumes that exist', () => {
    expect(services.flatMap(([, service]) => missingMounts(service, compose, has))).toEqual([]);
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

describe('docker/compose.local.yaml', () => {
  it('holds the Redis and the PostgreSQL of docker/compose.yaml and nothing else, on the loopback address', () => {
    expect(Object.keys(local.services)).toEqual(['redis', 'postgres']);
    for (const [name, { image, command, volumes, healthcheck, ports }] of Object.entries(local.services)) {
      const { [name]: platform } = compose.services;
      expect({ image, command, volumes, healthcheck }).toEqual({
        image: platform?.image,
        command: platform?.command,
        volumes: platform?.volumes,
        healthcheck: platform?.healthcheck,
      });
      expect(ports).toEqual([expect.stringMatching(/^127\.0\.0\.1:(\d+):\1$/)]);
    }
  });

  it('needs no variable, and names in its head the URLs that reach what it starts', () => {
    const text = read('docker/compose.local.yaml');
    const { POSTGRES_USER: user, POSTGRES_PASSWORD: password, POSTGRES_DB: name } = local.services.postgres?.environment ?? {};
    expect(text).not.toContain('${');
    expect(text).toContain('REDIS_URL=redis://127.0.0.1:6379 ');
    expect(text).toContain(`DATABASE_URL=postgres://${user}:${password}@127.0.0.1:5432/${name}\n`);
  });
});

describe('docker/redis.conf', () => {
  it.each(['appendonly yes', 'appendfsync everysec', 'maxmemory-policy noeviction'])('says %s', (setting) => {
    expect(read('docker/redis.conf').split('\n')).toContain(setting);
  });
});
