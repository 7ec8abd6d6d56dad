import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import type { INestApplication, ModuleMetadata, Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { MillraceModule } from '@millrace/nestjs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Surroundings } from '../surroundings.js';

let around: Surroundings;
let app: INestApplication | undefined;

beforeAll(async () => {
  around = await Surroundings.of('docs/guides/http.md');
}, 60_000);

afterEach(async () => {
  await app?.close();
  delete process.env['REDIS_URL'];
});

afterAll(() => around.stop());

async function start(parts: ModuleMetadata): Promise<string> {
  app = (await Test.createTestingModule(parts).compile()).createNestApplication();
  await app.listen(0, '127.0.0.1');
  return `http://127.0.0.1:${((app.getHttpServer() as Server).address() as AddressInfo).port}`;
}

it('the orders of the guide are placed once for each key', async () => {
  const { OrdersController } = await around.examples.load<{ OrdersController: Type }>('orders.controller.ts');
  const url = await start({ imports: [MillraceModule.forRoot({ redis: around.redis.url })], controllers: [OrdersController] });
  const place = async (): Promise<unknown> => {
    const headers = { 'content-type': 'application/json', 'idempotency-key': '8e03978e-40d5-43dd-bc93-6894a57f9324' };
    const answer = await fetch(`${url}/orders`, { method: 'POST', headers, body: JSON.stringify({ orderId: '1' }) });
    return { status: answer.status, replayed: answer.headers.get('idempotency-replayed'), body: await answer.json() };
  };
  const body = { id: expect.any(String) };
  const first = await place();
  expect(first).toEqual({ status: 201, replayed: null, body });
  expect(await place()).toEqual({ ...(first as object), replayed: 'true' });
});

async function statusesOf(url: string, headers: Record<string, string>): Promise<number[]> {
  const paths = ['topics', 'audit', 'openapi.json'];
  return Promise.all(paths.map(async (path) => (await fetch(`${url}/millrace/api/v1/${path}`, { headers })).status));
}

it('those who are signed in operate the shop of the guide, each with their rights', async () => {
  process.env['REDIS_URL'] = around.redis.url;
  const { OperatedShop, sessions } = await around.examples.load<{ OperatedShop: Type; sessions: Map<string, object> }>('operated-shop.ts');
  sessions.set('s=1', { email: 'ann@example.com', isAdmin: true }).set('s=2', { email: 'bob@example.com', isAdmin: false });
  const url = await start({ imports: [OperatedShop] });
  expect(await statusesOf(url, { cookie: 's=1' })).toEqual([200, 200, 200]);
  expect(await statusesOf(url, { cookie: 's=2' })).toEqual([200, 403, 200]);
  expect(await statusesOf(url, { cookie: 's=3' })).toEqual([401, 401, 401]);
});

it('tokens of the guide have the rights that their rows say, and all examples have run', async () => {
  process.env['REDIS_URL'] = around.redis.url;
  const { TokenShop } = await around.examples.load<{ TokenShop: Type }>('token-shop.ts');
  const url = await start({ imports: [TokenShop] });
  expect(await statusesOf(url, { authorization: 'Bearer prometheus-has-a-token-of-its-own-0001' })).toEqual([200, 403, 200]);
  expect(await statusesOf(url, { authorization: 'Bearer importer-has-a-token-of-its-own-000002' })).toEqual([403, 403, 403]);
  expect(around.examples.notRun()).toEqual([]);
});
