import { chmodSync, mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, statSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { freePort, startTestRedis, type TestRedis, waitFor } from '@millrace/testing';
import { CONSUMER_MS, makeArchives } from './archives.js';
import { Consumer, copyTree, productionPackages } from './consumer.js';
import { commandOf, environmentOf, stageNamed, stagesOf } from './dockerfile.js';
import { blocksOf } from './documents.js';
import { APP } from './hosted-application.js';
import { layOut } from './image.js';
import { pathOf, read } from './repository.js';
import { StartedProgram } from './started-program.js';

const START_MS = 200_000;
const TOKEN = 'a'.repeat(32);
/** The user of nobody, as root of a machine may become it, where that user gets as far as the folders of the tests. */
const USER = process.getuid?.() === 0 && isOpen(tmpdir()) ? { uid: 65_534, gid: 65_534 } : {};

const stages = stagesOf(read('docker/Dockerfile'));
const users = stagesOf(blocksOf('docs/guides/hosting.md').find(({ language }) => language === 'dockerfile')!.text);

/** Stands for the root of the images: both have the same files. */
let root: string;
/** Stands for the root of the stages that install and build. */
let made: string;
let consumer: Consumer;
let redis: TestRedis;
const started: StartedProgram[] = [];

beforeAll(async () => {
  await makeArchives();
  redis = await startTestRedis();
  consumer = Consumer.copied();
  consumer.write('dist/app.module.js', APP);
  root = mkdtempSync(join(tmpdir(), 'millrace-image-'));
  made = join(root, 'made');
  for (const name of [...productionPackages(), 'dist/apps', 'dist/libs']) copyTree(pathOf(name), join(made, 'srv', name));
  layOut(stageNamed(stages, 'runtime').filter(({ name }) => name !== 'USER'), root, ofThisRepository);
  rmSync(made, { recursive: true });
  for (const folder of [root, consumer.folder]) chmodSync(folder, 0o755);
}, CONSUMER_MS);
afterEach(async () => {
  await Promise.all(started.splice(0).map((each) => each.kill()));
});
afterAll(async () => {
  await redis.stop();
  consumer.remove();
  makeFolders(root, 0o755);
  rmSync(root, { recursive: true });
});

/** Whether every user may go through a folder and those above it. */
function isOpen(folder: string): boolean {
  const isOwn = (statSync(folder).mode & 0o001) !== 0;
  return isOwn && (dirname(folder) === folder || isOpen(dirname(folder)));
}

function ofThisRepository(path: string, from: string | null): string {
  const isMade = from !== null && path !== '/srv/package.json';
  return isMade ? join(made, path) : pathOf(path.replace(/^\/srv\//, ''));
}

/** Gives all folders of a tree those rights. */
function makeFolders(path: string, mode: number): void {
  chmodSync(path, 0o755);
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    if (entry.isDirectory()) makeFolders(join(path, entry.name), mode);
  }
  chmodSync(path, mode);
}

/** The path in the folder of a path of the image. */
function inRoot(path: string): string {
  return path.replace(/^\/(?=srv\/|app\/)/, `${root}/`);
}

/** The variables of an image, with those of whoever starts it. */
async function environment(image: string): Promise<Record<string, string>> {
  const set = Object.entries(environmentOf(stageNamed(stages, image)));
  const valueHere = async (name: string, value: string) => (name.endsWith('_PORT') ? String(await freePort()) : inRoot(value));
  const own = await Promise.all(set.map(async ([name, value]) => [name, await valueHere(name, value)] as const));
  return { ...Object.fromEntries(own), PATH: process.env['PATH']!, TMPDIR: join(root, 'app'), REDIS_URL: redis.url, MILLRACE_TOKEN: TOKEN };
}

/** Starts the command of an image, and waits until its check passes. */
async function start(image: string): Promise<{ program: StartedProgram; env: Record<string, string> }> {
  const env = await environment(image);
  const options = { cwd: join(root, 'app'), env, ...USER };
  const [command, first = '', ...rest] = commandOf(stageNamed(stages, image), 'CMD').map(inRoot);
  expect(command).toBe('node');
  const program = new StartedProgram(first, rest, options);
  started.push(program);
  const passes = async (): Promise<true> => {
    const [, ...check] = commandOf(stageNamed(stages, image), 'HEALTHCHECK').map(inRoot);
    const [code] = (await once(spawn(process.execPath, check, { ...options, stdio: 'ignore' }), 'exit')) as [number];
    if (code === 0) return true;
    throw new Error(`the ${image} has said: ${program.output}`);
  };
  await waitFor(passes, { what: `the check of the ${image}`, timeoutMs: START_MS });
  return { program, env };
}

async function handlesAndStops(): Promise<void> {
  const [worker, server] = await Promise.all([start('worker'), start('server')]);
  const url = `http://127.0.0.1:${server.env['MILLRACE_PORT']}/millrace/api/v1/topics/hosted/messages`;
  const headers = { authorization: `Bearer ${TOKEN}`, 'content-type': 'application/json' };
  expect((await fetch(url, { method: 'POST', headers, body: '{}' })).status).toBe(201);
  await worker.program.says('handled');
  for (const { program } of [worker, server]) {
    program.process.kill('SIGTERM');
    expect([await program.ended, program.output]).toEqual([0, expect.any(String)]);
  }
}

describe('the images', () => {
  it('have the same files: each adds its command, its check and its port alone', () => {
    for (const image of ['worker', 'server']) {
      const own = stageNamed(stages, image).slice(stageNamed(stages, 'runtime').length);
      expect(own.map(({ name }) => name)).toEqual(['FROM', 'ENV', 'HEALTHCHECK', 'CMD']);
    }
  });

  it('run an application in a folder that is mounted, which nobody can write to, and stop with code 0', async () => {
    rmSync(join(root, 'app'), { recursive: true });
    symlinkSync(consumer.folder, join(root, 'app'));
    makeFolders(consumer.folder, 0o555);
    try {
      await handlesAndStops();
    } finally {
      makeFolders(consumer.folder, 0o755);
      rmSync(join(root, 'app'));
      mkdirSync(join(root, 'app'));
    }
  }, 2 * START_MS);

  it('run an application that a Dockerfile of its own has put into them, on a file system that is only read', async () => {
    for (const image of ['worker', 'server']) {
      const stage = stageNamed(users, image);
      expect(stage[0]?.text).toBe(`millrace-${image} AS ${image}`);
    }
    const copied = stageNamed(users, 'worker').filter(({ name }) => name === 'COPY');
    expect(stageNamed(users, 'server').filter(({ name }) => name === 'COPY')).toEqual(copied);
    layOut([{ name: 'WORKDIR', text: '/app' }, ...copied], root, (path) => consumer.pathOf(path.replace(/^\/app\//, '')));
    makeFolders(root, 0o555);
    await handlesAndStops();
  }, 2 * START_MS);
});

describe('a server without its package in the application', () => {
  it('does not start, and says which package is missing', async () => {
    const package_ = join(consumer.modules, '@millrace/server');
    renameSync(package_, `${package_}-away`);
    makeFolders(root, 0o755);
    rmSync(join(root, 'app'), { recursive: true });
    symlinkSync(consumer.folder, join(root, 'app'));
    const [, first = '', ...rest] = commandOf(stageNamed(stages, 'server'), 'CMD').map(inRoot);
    const program = new StartedProgram(first, rest, { cwd: join(root, 'app'), env: await environment('server'), ...USER });
    started.push(program);
    expect([await program.ended, program.output]).toEqual([1, expect.stringContaining('Install the host (@millrace/worker or @millrace/server) beside the application')]);
  }, START_MS);
});
