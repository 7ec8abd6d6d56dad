import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readdir, readFile, realpath, rm, writeFile } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { connectServer, LocalServer, type LocalServerOptions, serverBinaries } from '@millrace/redis';
import { expectNoChildren, isRunning, type ProcessEntry, runningProcesses, TypeScriptChild, uniqueName, waitFor } from '@millrace/testing';

let binary: string;
let workshop: string;
const servers: LocalServer[] = [];

beforeAll(async () => {
  const [first] = await serverBinaries();
  if (!first) throw new Error('These tests need a redis-server or valkey-server on the PATH.');
  binary = first;
  workshop = await realpath(await mkdtemp(join(tmpdir(), 'millrace-test-')));
});

afterAll(() => rm(workshop, { recursive: true }));

afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.stop()));
  await expectNoChildren();
});

async function start(options: Partial<LocalServerOptions> = {}): Promise<LocalServer> {
  const server = await LocalServer.start({ binary, ...options });
  servers.push(server);
  return server;
}

async function command(server: LocalServer, ...args: [string, ...string[]]): Promise<unknown> {
  const redis = await connectServer({ url: server.url });
  try {
    return await redis.control.call(...args);
  } finally {
    redis.close();
  }
}

/** A program that stands in the place of a server. */
async function program(script: string): Promise<string> {
  const path = join(workshop, uniqueName('redis-server'));
  await writeFile(path, script);
  await chmod(path, 0o755);
  return path;
}

/** A program that writes its arguments to `<itself>.runs`, fails with these words at first, and then is the other program. */
function failsOnce(words: string, then: string): string {
  return `#!/bin/sh\necho "$*" >> "$0.runs"\nif [ "$(wc -l < "$0.runs")" = 1 ]; then echo "${words}" >&2; exit 1; fi\nexec ${then} "$@"\n`;
}

/** A server in this folder makes two: itself and its guard. */
async function expectProcesses(folder: string, count: number): Promise<void> {
  const ofFolder = async (): Promise<ProcessEntry[]> =>
    (await runningProcesses()).filter((one) => one.command.includes(folder) || one.folder.startsWith(folder));
  await waitFor(async () => (await ofFolder()).length === count, { what: `${count} processes in ${folder}` });
}

describe('a local server', () => {
  it('answers as soon as it is started, and never evicts', async () => {
    const server = await start({ maxmemory: '64mb' });
    expect(await command(server, 'PING')).toBe('PONG');
    expect(await command(server, 'CONFIG', 'GET', 'maxmemory-policy')).toEqual(['maxmemory-policy', 'noeviction']);
    expect(await command(server, 'CONFIG', 'GET', 'maxmemory')).toEqual(['maxmemory', String(64 * 1024 * 1024)]);
    expect(await command(server, 'CONFIG', 'GET', 'appendonly')).toEqual(['appendonly', 'no']);
  });

  it('is reached from this machine only', async () => {
    const server = await start();
    const others = Object.values(networkInterfaces()).flatMap((all) => all ?? []).filter((one) => !one.internal && one.family === 'IPv4');
    expect(await command(server, 'CONFIG', 'GET', 'bind')).toEqual(['bind', '127.0.0.1']);
    for (const { address } of others) expect(await connectError(address, server.port)).toBe('ECONNREFUSED');
  });

  it('is gone after stop, with its guard and its folder, and stop may be called again', async () => {
    const server = await start();
    const { folder } = server;
    await expectProcesses(folder, 2);
    await server.stop();
    await expectProcesses(folder, 0);
    expect(existsSync(folder)).toBe(false);
    await server.stop();
  });

  it('comes back on the same port with its data when it wrote them', async () => {
    const server = await start({ appendonly: 'always' });
    await command(server, 'SET', 'name', 'value');
    const { pid } = server;
    await server.kill();
    expect(await isRunning(pid)).toBe(false);
    await server.restart();
    expect(server.pid).not.toBe(pid);
    await expectProcesses(server.folder, 2);
    expect(await command(server, 'GET', 'name')).toBe('value');
  });

  it('is stopped although it is frozen', async () => {
    const server = await start();
    process.kill(server.pid, 'SIGSTOP');
    await server.stop();
    expect(await isRunning(server.pid)).toBe(false);
  });

  it('takes other ports, for its bus as well, when somebody else has taken one of them', async () => {
    const taken = await program(failsOnce('Address already in use', binary));
    const server = await start({ binary: taken, isClusterNode: true });
    const lines = (await readFile(`${taken}.runs`, 'utf8')).trim().split('\n');
    const [first, second] = lines.map((line) => /--port (\d+) .*--cluster-port (\d+)/.exec(line)!.slice(1, 3).map(Number));
    expect(second).toEqual([server.port, server.busPort]);
    expect(first![0]).not.toBe(second![0]);
    expect(first![1]).not.toBe(second![1]);
  });

  it('reports why it did not start, with the end of its log, and leaves nothing', async () => {
    const broken = await program('#!/bin/sh\necho "error while loading shared libraries: GLIBC_2.38 not found" >&2\nexit 3\n');
    await expect(LocalServer.start({ binary: broken })).rejects.toMatchObject({
      code: 'REDIS_FAILED',
      message: expect.stringMatching(/ended with code 3[\s\S]*GLIBC_2\.38 not found/),
    });
  });

  it('reports when the server refuses its arguments', async () => {
    await expect(start({ extra: ['--no-such-option', 'x'] })).rejects.toMatchObject({
      code: 'REDIS_FAILED',
      message: expect.stringContaining('no-such-option'),
    });
  });

  it('is ready as soon as its data is loaded, however long the server thought that would take', async () => {
    const loading = await program(await readFile(new URL('./fixtures/fake-server.mjs', import.meta.url), 'utf8'));
    await expect(start({ binary: loading, env: { ...process.env, FAKE_VERSION: '7.0.0', FAKE_LOOKS: '3' } })).resolves.toBeDefined();
  });

  it('refuses a server that is too old', async () => {
    const old = await program(await readFile(new URL('./fixtures/fake-server.mjs', import.meta.url), 'utf8'));
    await expect(LocalServer.start({ binary: old })).rejects.toMatchObject({
      code: 'REDIS_UNSUPPORTED',
      message: expect.stringContaining('6.0.16'),
    });
  });
});

describe('a local server whose process ends without stopping it', () => {
  async function startedBy(then: string): Promise<{ parent: TypeScriptChild; pid: number; folder: string }> {
    const parent = new TypeScriptChild(new URL('./fixtures/server-parent.ts', import.meta.url), { args: [binary, then] });
    const { pid, folder } = JSON.parse(await parent.line()) as { pid: number; folder: string };
    return { parent, pid, folder };
  }

  async function expectGone(pid: number, folder: string): Promise<void> {
    await waitFor(async () => !(await isRunning(pid)), { what: 'the server to end' });
    await waitFor(() => !existsSync(folder), { what: 'its folder to be removed' });
  }

  it('is gone, its folder too, after kill -9', async () => {
    const { parent, pid, folder } = await startedBy('stay');
    expect(await isRunning(pid)).toBe(true);
    await parent.kill('SIGKILL');
    await expectGone(pid, folder);
  });

  it('is gone after kill -9 although it is frozen', async () => {
    const { parent, pid, folder } = await startedBy('stay');
    process.kill(pid, 'SIGSTOP');
    await parent.kill('SIGKILL');
    await expectGone(pid, folder);
  });

  it('leaves no folder when it had crashed before', async () => {
    const { parent, pid, folder } = await startedBy('stay');
    process.kill(pid, 'SIGKILL');
    await waitFor(async () => !(await isRunning(pid)), { what: 'the server to end' });
    expect(existsSync(folder)).toBe(true);
    await parent.kill('SIGKILL');
    await expectGone(pid, folder);
  });

  it('does not keep its process alive, and is gone with it', async () => {
    const { parent, pid, folder } = await startedBy('return');
    expect(await parent.ended).toEqual({ code: 0, signal: null });
    await expectGone(pid, folder);
  });

  it('is gone after kill -9 before it was ready', async () => {
    const folder = await mkdtemp(join(workshop, 'tmp-'));
    const file = new URL('./fixtures/server-parent.ts', import.meta.url);
    const parent = new TypeScriptChild(file, { args: [binary, 'die while it starts'], env: { TMPDIR: folder } });
    expect(await parent.ended).toEqual({ code: null, signal: 'SIGKILL' });
    await expectProcesses(folder, 0);
    expect(await readdir(folder)).toEqual([]);
  });
});

function connectError(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port }, () => {
      socket.destroy();
      resolve(undefined);
    });
    socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code));
  });
}
