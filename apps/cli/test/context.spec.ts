import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { TypeScriptChild } from '@millrace/testing';
import { type Contexts, contextsPath } from '../src/connection/contexts.js';
import { type Ended, onTerminal, runHere } from './run-here.js';

const URL = 'http://127.0.0.1:3000';
const SECRET = 'a-secret-of-32-characters-at-least';

const children: TypeScriptChild[] = [];
let env: NodeJS.ProcessEnv = {};
beforeEach(async () => void (env = { XDG_CONFIG_HOME: await mkdtemp(join(tmpdir(), 'millrace-contexts-')) }));
afterEach(() => Promise.all(children.splice(0).map((one) => one.kill())));
afterEach(() => rm(env['XDG_CONFIG_HOME']!, { recursive: true }));

function context(...args: string[]): Promise<Ended> {
  return runHere(['context', ...args], { env });
}

function child(fixture: string, ...args: string[]): TypeScriptChild {
  const started = new TypeScriptChild(new globalThis.URL(`./fixtures/${fixture}`, import.meta.url), { args, env });
  children.push(started);
  return started;
}

/** A process that has the lock. */
async function holder(lock: string): Promise<TypeScriptChild> {
  const started = child('lock-holder.ts', lock);
  expect(await started.line()).toBe('held');
  return started;
}

describe('millrace context', () => {
  it('keeps servers and Redises by names, uses one, and forgets it', async () => {
    expect(await context('add', 'staging', '--url', URL, '--token', SECRET)).toMatchObject({ code: 0, stderr: '' });
    expect(await context('add', 'local', '--redis', `redis://:${SECRET}@127.0.0.1:1`, '--prefix', 'own', '--use', '-q')).toMatchObject({ code: 0, stdout: 'local\n' });
    expect((await context('ls', '-q')).stdout).toBe('local\nstaging\n');
    await context('use', 'staging');
    expect(JSON.parse((await context('ls', '--json')).stdout)).toEqual({ apiVersion: 1, items: [
      { name: 'local', inUse: false, url: null, redis: 'redis://:***@127.0.0.1:1', prefix: 'own', hasToken: false },
      { name: 'staging', inUse: true, url: URL, redis: null, prefix: null, hasToken: true },
    ] });
    expect(JSON.parse(await readFile(contextsPath(env), 'utf8'))).toMatchObject({ current: 'staging', contexts: { staging: { url: URL, token: SECRET } } });
    expect((await context('rm', 'staging')).code).toBe(0);
    expect(JSON.parse(await readFile(contextsPath(env), 'utf8'))).toMatchObject({ current: null, contexts: { local: { prefix: 'own' } } });
  });

  it('shows no token and no password in any form', async () => {
    const said = [await context('add', 'a', '--url', URL, '--token', SECRET), await context('add', 'b', '--redis', `redis://u:${SECRET}@h:1`)];
    for (const form of [[], ['--json'], ['--jsonl'], ['-q'], ['--raw']]) {
      said.push(await context('ls', ...form), await context('use', 'b', ...form), await onTerminal(['context', 'ls', ...form], { env }));
    }
    said.push(await context('add', 'a', '--url', URL, '--token', SECRET), await context('rm', 'b'));
    expect(said.map(({ stdout, stderr }) => stdout + stderr).join('')).not.toContain(SECRET);
  });

  it('takes a token from standard input, which no list of processes shows', async () => {
    expect((await runHere(['context', 'add', 'a', '--url', URL, '--token', '-'], { env, piped: `${SECRET}\n` })).code).toBe(0);
    expect(JSON.parse(await readFile(contextsPath(env), 'utf8'))).toMatchObject({ contexts: { a: { token: SECRET } } });
    expect((await context('add', 'b', '--url', URL, '--token', '-')).code).toBe(2);
  });

  it('lets nobody else read the file, and replaces it as a whole', async () => {
    await context('add', 'a', '--url', URL);
    const path = contextsPath(env);
    await writeFile(path, await readFile(path, 'utf8'), { mode: 0o644 });
    const before = await stat(path);
    await context('add', 'b', '--url', URL);
    const after = await stat(path);
    expect([after.mode & 0o777, (await stat(dirname(path))).mode & 0o777]).toEqual([0o600, 0o700]);
    expect(after.ino).not.toBe(before.ino);
    expect(await readdir(dirname(path))).toEqual(['contexts.json']);
  });

  it('loses nothing that several processes add at once, where one was killed that had begun', async () => {
    const lock = `${contextsPath(env)}.lock`;
    await mkdir(dirname(lock));
    await holder(lock).then((killed) => killed.kill());
    const names = ['a', 'b', 'c', 'd'];
    const children = names.map((name) => child('context-adder.ts', name));
    await Promise.all(children.map((one) => one.line()));
    for (const one of children) one.tell('go');
    expect(await Promise.all(children.map((one) => one.line()))).toEqual(names.map(() => '0'));
    const { contexts } = JSON.parse(await readFile(contextsPath(env), 'utf8')) as Contexts;
    expect(Object.keys(contexts).sort()).toEqual(names.flatMap((name) => Array.from({ length: 10 }, (_, number) => `${name}-${number}`)));
    expect(await readdir(dirname(lock))).toEqual(['contexts.json']);
  }, 60_000);

  it('changes nothing while another process does not let go of the file, and names it', async () => {
    await context('add', 'a', '--url', URL);
    const { process: { pid } } = await holder(`${contextsPath(env)}.lock`);
    const refused = await context('add', 'b', '--url', URL);
    expect(refused).toMatchObject({ code: 4, stderr: expect.stringContaining(`Process ${pid} has ${contextsPath(env)}.lock, so `) as unknown });
    expect((await context('ls', '-q')).stdout).toBe('a\n');
  }, 60_000);

  it.each([
    [['add', 'a b', '--url', URL], 2, 'The name of a context'],
    [['add', '__proto__', '--url', URL], 2, 'The name of a context'],
    [['add', 'a'], 2, 'Say --url or --redis'],
    [['add', 'a', '--url', URL, '--redis', 'redis://h'], 2, 'Say --url or --redis'],
    [['add', 'a', '--url', 'ftp://h'], 2, 'begins with http'],
    [['add', 'a', '--url', URL, '--prefix', 'b'], 2, '--prefix belongs to a Redis'],
    [['add', 'a', '--redis', 'localhost'], 2, 'INVALID_OPTIONS'],
    [['add', 'a', '--redis', 'redis://h', '--token', 'b'], 2, '--token belongs'],
    [['add', 'a', '--redis', 'redis://h', '--prefix', 'a b'], 2, 'key prefix'],
    [['add', 'known', '--url', URL], 4, 'millrace context rm known'],
    [['use', 'knwon'], 3, "did you mean 'known'?"],
    [['rm', 'toString'], 3, 'There is no context toString'],
  ])('refuses %j with code %d and says why', async (args, code, message) => {
    await context('add', 'known', '--redis', 'redis://127.0.0.1:1');
    const before = await readFile(contextsPath(env), 'utf8');
    expect(await context(...args)).toMatchObject({ code, stdout: '', stderr: expect.stringContaining(message) as unknown });
    expect(await readFile(contextsPath(env), 'utf8')).toBe(before);
  });

  it('says where the file is that it cannot write', async () => {
    await writeFile(join(env['XDG_CONFIG_HOME']!, 'millrace'), '');
    const { code, stderr } = await context('add', 'a', '--url', URL);
    expect([code, stderr]).toEqual([2, expect.stringContaining(`${contextsPath(env)} cannot be written (`)]);
  });
});
