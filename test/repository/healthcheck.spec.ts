import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pathOf } from './repository.js';

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

function check(env: Record<string, string>): Promise<{ code: number; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [pathOf('docker/healthcheck.js')], { env }, (error, _stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stderr });
    });
  });
}

function port(): string {
  return String((server.address() as AddressInfo).port);
}

describe('docker/healthcheck.js', () => {
  it('exits with 0 when the server is ready', async () => {
    expect(await check({ MILLRACE_PORT: port() })).toEqual({ code: 0, stderr: '' });
  });

  it('asks the health port of a worker', async () => {
    expect(await check({ MILLRACE_HEALTH_PORT: port(), MILLRACE_PORT: '1' })).toEqual({ code: 0, stderr: '' });
  });

  it('takes an empty variable for one that is not set, as everything that reads the environment does', async () => {
    expect(await check({ MILLRACE_HEALTH_PORT: '', MILLRACE_PORT: port() })).toEqual({ code: 0, stderr: '' });
    expect((await check({ MILLRACE_HEALTH_PORT: '', MILLRACE_PORT: ' ' })).stderr).toContain('http://127.0.0.1:3000/health/ready');
  });

  it('exits with 1 and says why when the server is not ready', async () => {
    ready = false;
    expect(await check({ MILLRACE_PORT: port() })).toEqual({ code: 1, stderr: expect.stringContaining('status 503') });
  });

  it('exits with 1 and says why when nobody listens', async () => {
    expect(await check({ MILLRACE_PORT: '1' })).toEqual({ code: 1, stderr: expect.stringContaining('http://127.0.0.1:1/health/ready') });
  });
});
