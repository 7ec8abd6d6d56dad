import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { findDatabase, type RunningDatabase } from '@millrace/outbox';
import { startTestRedis, type TestRedis, waitFor } from '@millrace/testing';
import { parse } from 'yaml';
import { commandOf, environmentOf, type Instruction, lastOf, stageNamed, stagesOf } from './dockerfile.js';
import { pathOf, read } from './repository.js';

/** On a machine that has much else to do. */
const START_MS = 100_000;

interface Service {
  environment?: Record<string, string>;
}

const { services: composed } = parse(read('docker/compose.yaml'), { merge: true }) as { services: Record<string, Service> };

let server: Server;
let ready: boolean;

beforeEach(async () => {
  ready = true;
  server = createServer((request, response) => {
    response.statusCode = request.url === '/health/ready' && ready ? 200 : 503;
    response.end();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});

afterEach(() => {
  server.close();
});

function check(role: string, env: Record<string, string>): Promise<{ code: number; stderr: string }> {
  return runToEnd([process.execPath, pathOf('docker/healthcheck.js'), role], env);
}

function runToEnd([command = '', ...args]: readonly string[], env: NodeJS.ProcessEnv): Promise<{ code: number; stderr: string }> {
  return new Promise((resolve) => {
    execFile(command, args, { env, cwd: pathOf('.') }, (error, _stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stderr });
    });
  });
}

function port(): string {
  return String((server.address() as AddressInfo).port);
}

describe('docker/healthcheck.js', () => {
  it('exits with 0 when the server is ready', async () => {
    expect(await check('server', { MILLRACE_PORT: port() })).toEqual({ code: 0, stderr: '' });
  });

  it('asks each application at its own port, whatever else the environment names', async () => {
    expect(await check('worker', { MILLRACE_HEALTH_PORT: port(), MILLRACE_PORT: '1' })).toEqual({ code: 0, stderr: '' });
    expect(await check('server', { MILLRACE_HEALTH_PORT: '1', MILLRACE_PORT: port() })).toEqual({ code: 0, stderr: '' });
  });

  it('asks at the address that the application listens on', async () => {
    for (const host of ['0.0.0.0', '::', '127.0.0.1', 'localhost']) {
      expect(await check('server', { MILLRACE_HOST: host, MILLRACE_PORT: port() })).toEqual({ code: 0, stderr: '' });
    }
    expect((await check('worker', { MILLRACE_HEALTH_HOST: '::1', MILLRACE_HEALTH_PORT: '1' })).stderr).toContain('http://[::1]:1/health/ready');
  });

  it('takes an empty variable for one that is not set, as everything that reads the environment does', async () => {
    expect((await check('server', { MILLRACE_PORT: ' ' })).stderr).toContain('http://127.0.0.1:3000/health/ready');
    expect((await check('worker', { MILLRACE_HEALTH_PORT: '' })).stderr).toContain('a worker without MILLRACE_HEALTH_PORT opens no port');
  });

  it('exits with 1 and says why when the server is not ready', async () => {
    ready = false;
    expect(await check('server', { MILLRACE_PORT: port() })).toEqual({ code: 1, stderr: expect.stringContaining('status 503') });
  });

  it('exits with 1 and says why when nobody listens', async () => {
    expect(await check('server', { MILLRACE_PORT: '1' })).toEqual({ code: 1, stderr: expect.stringContaining('http://127.0.0.1:1/health/ready') });
  });
});

async function freePort(): Promise<string> {
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port: free } = taken.address() as AddressInfo;
  taken.close();
  await once(taken, 'close');
  return `${free}`;
}

/** The place in the repository of a path of the image. */
function here(path: string): string {
  return path.replace(/^\/srv\//, pathOf('/'));
}

describe('the check of an image', () => {
  let redis: TestRedis;
  let database: RunningDatabase;
  beforeAll(async () => {
    redis = await startTestRedis();
    database = await findDatabase({ env: {} });
  });
  afterAll(async () => {
    await database.stop();
    await redis.stop();
  });

  /** The variables that the image sets, at ports that are free here, and those that compose adds. */
  async function environment(image: readonly Instruction[]): Promise<NodeJS.ProcessEnv> {
    const { environment: added } = composed[lastOf(image, 'FROM').split(' AS ')[1] ?? ''] ?? {};
    const set = Object.entries(environmentOf(image));
    const free = await Promise.all(set.map(async ([name, value]) => [name, name.endsWith('_PORT') ? await freePort() : value] as const));
    const needed = { PATH: process.env['PATH'], MILLRACE_APP: here(added?.MILLRACE_APP ?? ''), REDIS_URL: redis.url, DATABASE_URL: database.url };
    return { ...(Object.fromEntries(free) as NodeJS.ProcessEnv), ...needed };
  }

  it.each(['server', 'worker'])('passes when the process of the %s is ready, not before, and not when it has ended', async (name) => {
    const image = stageNamed(stagesOf(read('docker/Dockerfile')), name);
    const env = await environment(image);
    const passes = async (): Promise<boolean> => (await runToEnd(commandOf(image, 'HEALTHCHECK').map(here), env)).code === 0;
    expect(await passes()).toBe(false);
    const [command = '', ...args] = commandOf(image, 'CMD').map(here);
    const running = spawn(command, args, { env, cwd: pathOf('.'), stdio: 'ignore' });
    const ended = once(running, 'exit');
    await waitFor(passes, { what: `the check of the ${name} to pass`, timeoutMs: START_MS });
    running.kill('SIGTERM');
    expect(await ended).toEqual([0, null]);
    expect(await passes()).toBe(false);
  }, 2 * START_MS);
});
