import { mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { Publisher } from '@millrace/core';
import { connectServer } from '@millrace/redis';
import { createStreams } from '@millrace/streams';
import { startTestRedis, type TestRedis, TypeScriptChild } from '@millrace/testing';
import { loadApplication } from '@millrace/nestjs';
import { Hosted } from './fixtures/app.module.js';

let redis: TestRedis;
let child: TypeScriptChild | null = null;
beforeAll(async () => void (redis = await startTestRedis()));
afterEach(() => child?.kill());
afterAll(() => redis.stop());

const fixture = (name: string): string => fileURLToPath(new URL(`./fixtures/${name}`, import.meta.url));

function host(env: NodeJS.ProcessEnv): TypeScriptChild {
  child = new TypeScriptChild(new URL('../src/main.ts', import.meta.url), { env: { REDIS_URL: redis.url, ...env }, loadsTypeScript: true });
  return child;
}

async function publish(): Promise<void> {
  const connections = await connectServer({ url: redis.url });
  const streams = createStreams({ redis: connections, prefix: 'millrace', leaseMs: 15_000 });
  await new Publisher(streams).publish(Hosted, new Hosted());
  await streams.stop(1_000);
  connections.close();
}

describe('the worker host', () => {
  it('runs the module that MILLRACE_APP names, writes its log as JSON where asked, and ends with code 0', async () => {
    const hosted = host({ MILLRACE_APP: fixture('app.module.ts'), MILLRACE_GROUPS: 'hosted', MILLRACE_LOG: 'json' });
    await publish();
    const log: unknown[] = [];
    for (let line = await hosted.line(); line !== 'handled'; line = await hosted.line()) log.push(JSON.parse(line));
    expect(log[0]).toMatchObject({ level: 'log', context: 'NestFactory' });
    hosted.process.kill('SIGTERM');
    expect(await hosted.ended).toEqual({ code: 0, signal: null });
  });

  it.each([
    ['missing.js', /MILLRACE_APP names .*missing\.js, which is no file/],
    ['no-module.ts', /no-module\.ts exports no module: .*, and name its file, not the one that starts the application\./],
    ['broken.ts', /broken\.ts cannot be loaded: TypeError: this file is broken/],
    ['never-made.ts', /never-made\.ts never finished loading: it awaits something/],
  ])('says what is wrong with %s, and ends with code 1', async (name, message) => {
    const failed = host({ MILLRACE_APP: fixture(name) });
    let text = '';
    failed.process.stderr.on('data', (chunk: Buffer) => (text += chunk.toString()));
    expect((await failed.ended).code).toBe(1);
    expect(text).toContain('Cannot start: INVALID_OPTIONS: ');
    expect(text).toMatch(message);
    expect(text).not.toMatch(/\n {4}at /);
  });
});

describe('loading the application', () => {
  it.each([
    ['no path', ' ', 'MILLRACE_APP is not set'],
    ['a path to nothing', fixture('missing.js'), 'missing.js, which is no file. Build the application first'],
    ['a folder', fixture(''), 'which is no file'],
    ['a file without a module', fixture('no-module.ts'), 'exports no module: export your root module as default or as AppModule'],
    ['a file that cannot be loaded', fixture('broken.ts'), 'cannot be loaded: TypeError: this file is broken'],
    ['files that import each other in a circle', fixture('too-early.ts'), 'move what both of them need into a file of its own'],
  ])('refuses %s', async (_what, path, message) => {
    await expect(loadApplication({ MILLRACE_APP: path })).rejects.toMatchObject({
      code: 'INVALID_OPTIONS',
      message: expect.stringContaining(message) as unknown,
    });
  });

  it('refuses one that has a Nest of its own, and names both: Nest itself would name neither', async () => {
    const folder = await realpath(await mkdtemp(join(tmpdir(), 'own-nest-')));
    try {
      const nest = join(folder, 'node_modules/@nestjs/core');
      await mkdir(nest, { recursive: true });
      await mkdir(join(folder, 'dist'));
      const path = join(folder, 'dist/app.js');
      await writeFile(path, 'throw new Error("this is not run")');
      const loading = loadApplication({ MILLRACE_APP: path });
      await expect(loading).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
      await expect(loading).rejects.toThrow(`takes Nest from ${nest}, and this process takes it from ${resolve('node_modules/@nestjs/core')}`);
    } finally {
      await rm(folder, { recursive: true });
    }
  });
});
