import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { request, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { MillraceModule } from '@millrace/nestjs';
import { startTestRedis, type TestRedis, uniqueName } from '@millrace/testing';
import { Controller, Get, type INestApplication, type LoggerService, Module, Post, type Type } from '@nestjs/common';
import { startServer } from '../src/start-server.js';
import { ALONE } from './fixture.js';

const silent: LoggerService = { log: () => undefined, warn: () => undefined, error: () => undefined };
const token = 'a-token-that-is-longer-than-thirty-two';
const bearer = { authorization: `Bearer ${token}` };

/** Routes of the application whose paths begin like those of the server. */
@Controller('millrace/api/v1/own')
class OwnBelowTheApi {
  @Get()
  read(): object {
    return { own: true };
  }
}

@Controller('health')
class OwnHealth {
  @Get('details')
  read(): object {
    return { own: true };
  }

  @Post('live')
  change(): object {
    return { own: true };
  }
}

let redis: TestRedis;
let app: INestApplication | undefined;

beforeAll(async () => void (redis = await startTestRedis()));
afterAll(() => redis.stop());
afterEach(async () => {
  await app?.close();
  app = undefined;
});

function applicationModule(): Type {
  @Module({
    imports: [MillraceModule.forRoot({ redis: redis.url, prefix: uniqueName('check') })],
    controllers: [OwnBelowTheApi, OwnHealth],
  })
  class AppModule {}
  return AppModule;
}

async function start(): Promise<void> {
  app = await startServer(applicationModule(), { ...ALONE, token }, silent);
}

interface Answer {
  readonly status: number | undefined;
  readonly retryAfter: string | undefined;
  readonly type: string | undefined;
}

/** Sends the path as it is, which `fetch` would not. */
function send(path: string, { method = 'GET', headers = {} }: { method?: string; headers?: Record<string, string> } = {}): Promise<Answer> {
  const { port } = (app!.getHttpServer() as Server).address() as AddressInfo;
  return new Promise((resolve, reject) => {
    const sent = request({ host: '127.0.0.1', port, path, method, headers }, (response) => {
      const { 'retry-after': retryAfter, 'content-type': type } = response.headers;
      response.resume().on('end', () => resolve({ status: response.statusCode, retryAfter, type }));
    });
    sent.on('error', reject);
    sent.end();
  });
}

describe('the server with a token', () => {
  it.each([
    '/millrace/api/v1/own', '/millrace/api/v1/own/', '/MILLRACE/API/V1/OWN', '/millrace/api/v1/own?a=/health/live', '/health/details', '/health/details/',
    '/HEALTH/DETAILS', '/health/live/../details', '/health/%64etails',
  ])('asks for it on a route of the application that begins like ours: %s', async (path) => {
    await start();
    expect(await send(path)).toMatchObject({ status: 401, type: expect.stringContaining('application/problem+json') });
    expect((await send(path, { headers: bearer })).status).toBe(/[.%]/.test(path) ? 404 : 200);
  });

  it('lets everyone look at the probes, and nobody change anything there', async () => {
    await start();
    for (const path of ['/health/live', '/health/ready', '/millrace/api/v1/health/live', '/millrace/api/v1/health/ready?at=1']) {
      expect(await send(path)).toMatchObject({ status: 200 });
      expect(await send(path, { method: 'HEAD' })).toMatchObject({ status: 200 });
      expect(await send(path, { method: 'POST' })).toMatchObject({ status: 401 });
    }
    expect(await send('/health/live', { method: 'POST', headers: bearer })).toMatchObject({ status: 201 });
    for (const path of ['/health', '/health/live/', '/Health/live', '/health/live/more', '//health/live', '/']) {
      expect(await send(path)).toMatchObject({ status: 401 });
    }
  });

  it('counts failures on routes of the application and on ours together', async () => {
    await start();
    const paths = ['/millrace/api/v1/own', '/health/details', '/millrace/api/v1/topics', '/nowhere'];
    const statuses: unknown[] = [];
    for (let guess = 0; guess < 20; guess += 1) statuses.push((await send(paths[guess % 4]!, { headers: { authorization: `Bearer ${guess}` } })).status);
    expect(new Set(statuses)).toEqual(new Set([401]));
    for (const path of paths) expect(await send(path)).toMatchObject({ status: 429, retryAfter: expect.stringMatching(/^\d+$/) });
    expect(await send('/health/live')).toMatchObject({ status: 200 });
    expect(await send('/millrace/api/v1/own', { headers: bearer })).toMatchObject({ status: 200 });
  });
});
