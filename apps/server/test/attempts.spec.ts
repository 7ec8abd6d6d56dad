import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { IncomingMessage, Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { MillraceModule } from '@millrace/nestjs';
import { startTestRedis, type TestRedis, uniqueName } from '@millrace/testing';
import { type INestApplication, Module, UnauthorizedException } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { MillraceServerModule, type Principal } from '../src/index.js';

let redis: TestRedis;
let app: INestApplication | undefined;
/** Those who may, by their cookies. */
const sessions = new Map<string, Principal>();
/** How many times the application was asked, and how many at the same time. */
const asked = { times: 0, now: 0, most: 0 };
/** The application says nothing before. */
let opened: Promise<unknown>;

beforeAll(async () => void (redis = await startTestRedis()));
afterAll(() => redis.stop());
afterEach(async () => {
  await app?.close();
  app = undefined;
});

async function authorize({ headers }: IncomingMessage): Promise<Principal | null> {
  asked.times += 1;
  asked.now += 1;
  asked.most = Math.max(asked.most, asked.now);
  await opened;
  asked.now -= 1;
  if (headers.cookie === 'throws') throw new UnauthorizedException('not you');
  if (headers.cookie === 'broken') throw new Error('the database is away');
  return sessions.get(headers.cookie ?? '') ?? null;
}

async function start(): Promise<void> {
  sessions.clear();
  for (let user = 0; user < 100; user += 1) sessions.set(`user=${user}`, { name: `user ${user}`, role: 'viewer' });
  Object.assign(asked, { times: 0, now: 0, most: 0 });
  opened = Promise.resolve();
  @Module({
    imports: [MillraceModule.forRoot({ redis: redis.url, prefix: uniqueName('attempts') }), MillraceServerModule.forRoot({ authorize })],
  })
  class AppModule {}
  app = await NestFactory.create(AppModule, { logger: false });
  await app.listen(0, '127.0.0.1');
}

async function statusOf(cookie: string): Promise<number> {
  const { port } = (app!.getHttpServer() as Server).address() as AddressInfo;
  const response = await fetch(`http://127.0.0.1:${port}/millrace/api/v1/instances`, { headers: { cookie } });
  await response.text();
  return response.status;
}

/** Resolves when so many more requests have come in. */
function received(count: number): Promise<void> {
  return new Promise((resolve) => {
    let come = 0;
    (app!.getHttpServer() as Server).on('request', () => {
      come += 1;
      if (come === count) setImmediate(resolve);
    });
  });
}

function countOf(statuses: readonly number[]): Record<number, number> {
  return Object.fromEntries([...new Set(statuses)].map((status) => [status, statuses.filter((one) => one === status).length]));
}

describe('attempts to be let in from one address', () => {
  it('fail 20 times at the most, also when all are made at once', async () => {
    await start();
    let open = (): void => undefined;
    opened = new Promise<void>((resolve) => (open = resolve));
    const all = received(60);
    const asking = Array.from({ length: 60 }, (_, guess) => statusOf(guess % 2 ? `guess=${guess}` : 'throws'));
    await all;
    open();
    const statuses = await Promise.all(asking);
    expect(countOf(statuses)).toEqual({ 401: 20, 429: 40 });
    expect(asked.times).toBe(20);
  });

  it('that succeed are never refused, however many are made at once', async () => {
    await start();
    opened = received(20);
    const statuses = await Promise.all(Array.from({ length: 100 }, (_, user) => statusOf(`user=${user}`)));
    expect(countOf(statuses)).toEqual({ 200: 100 });
    expect(asked.most).toBeLessThanOrEqual(20);
  });

  it('are let in behind a proxy whose other clients have failed, by whoever was let in before', async () => {
    await start();
    expect(await statusOf('user=1')).toBe(200);
    for (let guess = 0; guess < 25; guess += 1) await statusOf(`guess=${guess}`);
    expect([await statusOf('user=1'), await statusOf('user=1'), await statusOf('user=2'), await statusOf('guess=1')]).toEqual([200, 200, 429, 429]);
    sessions.delete('user=1');
    expect([await statusOf('user=1'), await statusOf('user=1')]).toEqual([401, 429]);
  });

  it('do not count as failures when the application fails', async () => {
    await start();
    for (let time = 0; time < 25; time += 1) expect(await statusOf('broken')).toBe(500);
    expect(await statusOf('user=3')).toBe(200);
  });
});
