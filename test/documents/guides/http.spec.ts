import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { INestApplication, Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { MillraceModule } from '@millrace/nestjs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Surroundings } from '../surroundings.js';

let around: Surroundings;
let app: INestApplication;

beforeAll(async () => {
  around = await Surroundings.of('docs/guides/http.md');
  const { OrdersController } = await around.examples.load<{ OrdersController: Type }>('orders.controller.ts');
  const imports = [MillraceModule.forRoot({ redis: around.redis.url })];
  app = (await Test.createTestingModule({ imports, controllers: [OrdersController] }).compile()).createNestApplication();
  await app.listen(0, '127.0.0.1');
}, 60_000);

afterAll(async () => {
  await app.close();
  await around.stop();
});

it('the orders of the guide are placed once for each key', async () => {
  const { port } = (app.getHttpServer() as Server).address() as AddressInfo;
  const place = async (): Promise<unknown> => {
    const headers = { 'content-type': 'application/json', 'idempotency-key': '8e03978e-40d5-43dd-bc93-6894a57f9324' };
    const answer = await fetch(`http://127.0.0.1:${port}/orders`, { method: 'POST', headers, body: JSON.stringify({ orderId: '1' }) });
    return { status: answer.status, replayed: answer.headers.get('idempotency-replayed'), body: await answer.json() };
  };
  const body = { id: expect.any(String) };
  const first = await place();
  expect(first).toEqual({ status: 201, replayed: null, body });
  expect(await place()).toEqual({ ...(first as object), replayed: 'true' });
  expect(around.examples.notRun()).toEqual([]);
});
