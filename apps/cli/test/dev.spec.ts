import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readdir, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { connectServer, type StandaloneTopology } from '@millrace/redis';
import { expectNoChildren, freePort, isRunning, runningProcesses, TypeScriptChild, waitFor } from '@millrace/testing';
import { COMPILED } from './cli-bed.js';
import { runHere } from './run-here.js';

const MAIN = new URL('../src/main.ts', import.meta.url);
const APPLICATION = pathToFileURL(join(COMPILED, 'apps/cli/test/fixtures/served.module.js')).href;

let folder = '';
const children: TypeScriptChild[] = [];
beforeEach(async () => void (folder = await realpath(await mkdtemp(join(tmpdir(), 'millrace-dev-')))));
afterEach(async () => {
  await Promise.all(children.splice(0).map((child) => child.kill()));
  await rm(folder, { recursive: true });
  await expectNoChildren();
});

function start(args: readonly string[], env: NodeJS.ProcessEnv = {}): TypeScriptChild {
  const child = new TypeScriptChild(MAIN, { args: ['dev', ...args], env: { XDG_CONFIG_HOME: folder, TMPDIR: folder, MILLRACE_APP: '', ...env } });
  children.push(child);
  return child;
}

/** An application with the server among its packages. @returns the file of its module */
async function application(): Promise<string> {
  const packages = join(folder, 'node_modules/@millrace');
  await mkdir(packages, { recursive: true });
  await symlink(join(COMPILED, 'apps/server'), join(packages, 'server'));
  const file = join(folder, 'app.module.mjs');
  await writeFile(file, `export { AppModule } from '${APPLICATION}';\n`);
  return file;
}

async function onRedis<T>(url: string, use: (redis: StandaloneTopology) => Promise<T>): Promise<T> {
  const redis = await connectServer({ url });
  try {
    return await use(redis);
  } finally {
    redis.close();
  }
}

/** Resolves when neither the Redis nor its temporary folder is there. */
async function nothingLeft(pid: number): Promise<void> {
  await waitFor(async () => !(await isRunning(pid)), { what: 'Redis to be gone' });
  await waitFor(async () => !(await readdir(folder)).some((name) => name.startsWith('millrace-redis-')), { what: 'its folder to be gone' });
}

async function redisOf({ process: { pid } }: TypeScriptChild): Promise<number> {
  const found = (await runningProcesses()).find(({ parent, command }) => parent === pid && /(?:redis|valkey)-server/.test(command));
  return found!.pid;
}

describe('millrace dev', () => {
  it('runs a Redis that keeps what it is given, until Ctrl-C, and leaves nothing', async () => {
    const dev = start([]);
    const [, url = ''] = /^REDIS_URL=(\S+)$/.exec(await dev.line()) ?? [];
    const settings = await onRedis(url, async ({ control }) => [await control.call('CONFIG', 'GET', 'appendonly'), await control.call('CONFIG', 'GET', 'maxmemory-policy')]);
    expect(settings).toEqual([['appendonly', 'yes'], ['maxmemory-policy', 'noeviction']]);
    const pid = await redisOf(dev);
    dev.process.kill('SIGINT');
    expect(await dev.ended).toEqual({ code: 0, signal: null });
    await nothingLeft(pid);
  });

  it('keeps the data in a folder and listens on a port', async () => {
    const [port, data] = [await freePort(), join(folder, 'data')];
    for (const expected of [null, 'kept']) {
      const dev = start(['--port', `${port}`, '--data', data]);
      expect(await dev.line()).toBe(`REDIS_URL=redis://127.0.0.1:${port}`);
      expect(await onRedis(`redis://127.0.0.1:${port}`, ({ control }) => control.call('GET', 'a'))).toBe(expected);
      await onRedis(`redis://127.0.0.1:${port}`, ({ control }) => control.call('SET', 'a', 'kept'));
      dev.process.kill('SIGINT');
      await dev.ended;
    }
    expect(existsSync(join(data, 'appendonlydir'))).toBe(true);
  });

  it('refuses a folder of data that another one has, by any path, until that one has ended or was killed', async () => {
    const [data, link] = [join(folder, 'data'), join(folder, 'link')];
    const first = start(['--data', data]);
    await first.line();
    await symlink(data, link);
    const refused = start(['--data', link]);
    let text = '';
    refused.process.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
    expect(await refused.ended).toEqual({ code: 4, signal: null });
    expect(text).toContain(`${data} is in use by process ${first.process.pid}, another millrace dev. Two Redises on one folder would lose data: `);
    expect(text).toContain(`If it is none, remove ${data}/millrace-dev.lock.`);
    const pid = await redisOf(first);
    await first.kill();
    await nothingLeft(pid);
    const next = start(['--data', data]);
    expect(await next.line()).toMatch(/^REDIS_URL=/);
    next.process.kill('SIGINT');
    expect(await next.ended).toEqual({ code: 0, signal: null });
    expect(await readdir(data)).not.toContain('millrace-dev.lock');
  });

  it('serves the HTTP API beside an application, and ends both at Ctrl-C, also with a connection that sends nothing', async () => {
    const port = await freePort();
    const dev = start(['--app', await application()], { MILLRACE_PORT: `${port}` });
    expect([await dev.line(), await dev.line()]).toEqual([expect.stringMatching(/^REDIS_URL=/), `MILLRACE_URL=http://127.0.0.1:${port}`]);
    let line = '';
    while (!line.includes('listening on')) line = await dev.line();
    const silent = connect(port, '127.0.0.1').resume();
    await once(silent, 'connect');
    expect(await runHere(['topics', 'ls', '--json', '--url', `http://127.0.0.1:${port}`], { env: {} })).toMatchObject({ code: 0 });
    const pid = await redisOf(dev);
    dev.process.kill('SIGINT');
    expect(await dev.ended).toEqual({ code: 0, signal: null });
    silent.destroy();
    await nothingLeft(pid);
  });

  it.each([['Redis', 5], ['the command', null]])('ends all when %s is killed', async (what, code) => {
    const dev = start([]);
    await dev.line();
    const pid = await redisOf(dev);
    process.kill(what === 'Redis' ? pid : dev.process.pid!, 'SIGKILL');
    expect((await dev.ended).code).toBe(code);
    await nothingLeft(pid);
  });

  it('leaves no Redis when the server cannot start', async () => {
    const dev = start(['--app', await application()], { MILLRACE_HOST: '0.0.0.0' });
    await dev.line();
    const pid = await redisOf(dev);
    expect((await dev.ended).code).toBe(1);
    await nothingLeft(pid);
  });

  it('says what to do without a redis-server, for a port in use, a folder that is none, and no application', async () => {
    const run = (args: readonly string[], env: NodeJS.ProcessEnv = {}): Promise<unknown> => runHere(['dev', ...args], { env: { PATH: process.env['PATH'], ...env } });
    expect(await run([], { PATH: folder })).toMatchObject({ code: 5, stderr: expect.stringMatching(/on the PATH\. Install Redis .*\[REDIS_NOT_FOUND\]/) as unknown });
    expect(await run(['--app', join(folder, 'none.js')])).toMatchObject({ code: 2, stderr: expect.stringContaining('Build the application first') as unknown });
    expect(await run(['--data', process.execPath])).toMatchObject({ code: 2, stderr: expect.stringContaining('cannot be a folder of data') as unknown });
    const dev = start([]);
    const [, port = ''] = /:(\d+)$/.exec(await dev.line()) ?? [];
    expect(await run(['--port', port])).toMatchObject({ code: 1, stderr: expect.stringContaining('[PORT_IN_USE]') as unknown });
  });
});
