import { chmod, copyFile, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { connectServer, findOnPath, findRedis, freePort, type RunningRedis, serverBinaries } from '@millrace/redis';
import { expectNoChildren, isRunning, startTestRedis, uniqueName, waitFor } from '@millrace/testing';

let workshop: string;
let installed: string;
const found: RunningRedis[] = [];

beforeAll(async () => {
  workshop = await mkdtemp(join(tmpdir(), 'millrace-test-'));
  const [binary] = await serverBinaries();
  if (!binary) throw new Error('These tests need a redis-server or valkey-server on the PATH.');
  installed = binary;
});

afterEach(async () => {
  await Promise.all(found.splice(0).map((redis) => redis.stop()));
  await expectNoChildren();
});

afterAll(() => rm(workshop, { recursive: true }));

async function find(env: NodeJS.ProcessEnv): Promise<RunningRedis> {
  const redis = await findRedis({ env });
  found.push(redis);
  return redis;
}

/** A folder for the PATH, with these programs in it. */
async function folderOf(programs: Record<string, string>): Promise<string> {
  const folder = join(workshop, uniqueName('bin'));
  await mkdir(folder);
  for (const [name, script] of Object.entries(programs)) {
    await writeFile(join(folder, name), script);
    await chmod(join(folder, name), 0o755);
  }
  return folder;
}

async function ask(url: string, ...args: [string, ...string[]]): Promise<unknown> {
  const redis = await connectServer({ url });
  try {
    return await redis.control.call(...args);
  } finally {
    redis.close();
  }
}

async function pidOf(url: string): Promise<number> {
  return Number(/process_id:(\d+)/.exec(String(await ask(url, 'INFO', 'server')))?.[1]);
}

describe('REDIS_URL', () => {
  it('is used when it is set, and left alone on stop', async () => {
    const server = await startTestRedis();
    const redis = await find({ REDIS_URL: server.url, PATH: '' });
    expect(redis).toMatchObject({ url: server.url, source: 'REDIS_URL', passedOver: [] });
    await redis.stop();
    expect(await ask(server.url, 'PING')).toBe('PONG');
    await server.stop();
  });

  it('is the only way when nothing answers there: no server of our own is started', async () => {
    const url = `redis://app:s3cret@127.0.0.1:${await freePort()}`;
    const error = await findRedis({ env: { ...process.env, REDIS_URL: url } }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'REDIS_UNREACHABLE', message: expect.stringMatching(/ECONNREFUSED[\s\S]*REDIS_URL/) });
    expect(everythingOf(error)).not.toContain('s3cret');
    await expectNoChildren();
  });

  it('recognizes a server that is no Redis', async () => {
    const web = await webServer();
    const { port } = web.address() as AddressInfo;
    await expect(find({ REDIS_URL: `redis://127.0.0.1:${port}`, PATH: '' })).rejects.toMatchObject({ code: 'REDIS_UNREACHABLE' });
    await new Promise((resolve) => web.close(resolve));
  });

  it('never shows the password that is refused', async () => {
    const server = await startTestRedis({ extra: ['--user', 'app', 'on', '>right', '~*', '&*', '+@all'] });
    const url = server.url.replace('//', '//app:wr0ng@');
    const error = await findRedis({ env: { REDIS_URL: url } }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ message: expect.stringContaining('WRONGPASS') });
    expect(everythingOf(error)).not.toContain('wr0ng');
    await server.stop();
  });

  it.each(['localhost:6379', 'http://localhost', 'redis://'])('is refused when it is no URL of a Redis: %s', async (url) => {
    await expect(find({ REDIS_URL: url, PATH: '' })).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
  });

  it('counts as not set when it is blank', async () => {
    await expect(find({ REDIS_URL: ' ', PATH: '' })).rejects.toMatchObject({ code: 'REDIS_NOT_FOUND' });
  });
});

describe('without REDIS_URL', () => {
  it('starts the server that is on the PATH and ends it on stop', async () => {
    const redis = await find({ PATH: process.env['PATH'] });
    expect(redis).toMatchObject({ source: installed, passedOver: [] });
    expect(await ask(redis.url, 'CONFIG', 'GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction']);
    const pid = await pidOf(redis.url);
    await redis.stop();
    expect(await isRunning(pid)).toBe(false);
  });

  it('takes a valkey-server as well', async () => {
    const folder = await folderOf({});
    await symlink(installed, join(folder, 'valkey-server'));
    expect(await find({ PATH: folder })).toMatchObject({ source: join(folder, 'valkey-server') });
  });

  it('takes nothing from relative folders on the PATH, and no file that may not be run', async () => {
    const folder = await folderOf({ 'redis-server': '#!/bin/sh\n' });
    const near = relative(process.cwd(), folder);
    expect(await serverBinaries({ PATH: `.:${near}:` }, workshop)).toEqual([]);
    expect(await serverBinaries({ PATH: folder }, workshop)).toEqual([join(folder, 'redis-server')]);
    await chmod(join(folder, 'redis-server'), 0o644);
    expect(await serverBinaries({ PATH: folder }, workshop)).toEqual([]);
  });

  it('says how to install one when there is none', async () => {
    const error = await findRedis({ env: { PATH: '' } }).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({ code: 'REDIS_NOT_FOUND', problems: [expect.stringContaining('PATH'), expect.stringContaining('docker')] });
    expect(error).toMatchObject({ message: expect.stringMatching(/Install one with: .+ install|Set REDIS_URL/) });
  });

  it('gives the words of each server that it found when none of them runs', async () => {
    const folder = await folderOf({ 'redis-server': '#!/bin/sh\necho GLIBC_2.38 not found\nexit 1\n', 'valkey-server': '#!/bin/sh\nexit 7\n' });
    await expect(find({ PATH: folder })).rejects.toMatchObject({
      code: 'REDIS_NOT_FOUND',
      problems: [expect.stringContaining('GLIBC_2.38 not found'), expect.stringContaining('ended with code 7'), expect.stringContaining('docker')],
    });
  });

  it('passes over a server that does not run, and says so', async () => {
    const folder = await folderOf({ 'redis-server': '#!/bin/sh\nexit 1\n' });
    await symlink(installed, join(folder, 'valkey-server'));
    const redis = await find({ PATH: folder });
    expect(redis.source).toBe(join(folder, 'valkey-server'));
    expect(redis.passedOver).toEqual([expect.stringContaining(join(folder, 'redis-server'))]);
  });

  it('finds the server of the optional npm package', async () => {
    const home = join(workshop, 'app', 'node_modules', '@falkordblite', 'linux-x64');
    await mkdir(join(home, 'bin'), { recursive: true });
    await writeFile(join(home, 'package.json'), '{ "name": "@falkordblite/linux-x64", "version": "8.2.3", "main": "package.json" }');
    await copyFile(installed, join(home, 'bin', 'redis-server'));
    expect(await serverBinaries({ PATH: '' }, join(workshop, 'app'))).toEqual([join(home, 'bin', 'redis-server')]);
  });
});

describe('with Docker', () => {
  /** Does what the real client does, as far as we use it, with the installed server in the place of a container. */
  const docker = async (): Promise<string> => {
    const script = await readFile(new URL('./fixtures/docker.sh', import.meta.url), 'utf8');
    return folderOf({ docker: script.replace('SERVER', installed) });
  };

  it('runs a container, and removes it on stop', async () => {
    const folder = await docker();
    const redis = await find({ PATH: folder });
    expect(redis).toMatchObject({ source: 'docker redis:7', passedOver: [expect.stringContaining('PATH')] });
    expect(await ask(redis.url, 'CONFIG', 'GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction']);
    const pid = await pidOf(redis.url);
    await redis.stop();
    await waitFor(async () => !(await isRunning(pid)), { what: 'the container to end' });
    expect(await readFile(join(folder, 'calls'), 'utf8')).toMatch(/^info .*\nrun --rm --name (\S+) .*\nrm -f \1\n$/);
  });

  it('passes it over when no engine answers', async () => {
    const folder = await folderOf({ docker: '#!/bin/sh\necho "Cannot connect to the Docker daemon" >&2\nexit 1\n' });
    expect(await findOnPath('docker', { PATH: folder })).toBe(join(folder, 'docker'));
    await expect(find({ PATH: folder })).rejects.toMatchObject({
      code: 'REDIS_NOT_FOUND',
      problems: [expect.stringContaining('PATH'), expect.stringContaining('Cannot connect to the Docker daemon')],
    });
  });

  it('passes it over when the engine never answers', async () => {
    const folder = await folderOf({ docker: '#!/bin/sh\nexec sleep 600\n' });
    await expect(find({ PATH: folder })).rejects.toMatchObject({ problems: [expect.anything(), expect.stringContaining('within 3 s')] });
  });
});

/** All that a log or a crash report may show of an error. */
function everythingOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return `${JSON.stringify(error)} ${error.stack} ${JSON.stringify(Object.entries(error))} ${error.cause ? everythingOf(error.cause) : ''}`;
}

function webServer(): Promise<Server> {
  return new Promise((resolve) => {
    const server = createServer((_, response) => response.end('hello'));
    server.listen(0, '127.0.0.1', () => resolve(server));
  });
}
