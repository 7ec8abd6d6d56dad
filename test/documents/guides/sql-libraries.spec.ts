import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestApplicationContext, Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { waitFor } from '@millrace/testing';
import { Surroundings } from '../surroundings.js';

interface Example {
  OrdersModule: Type;
  OrderDesk: Type<{ place(orderId: string): Promise<void> }>;
  db: { destroy(): Promise<void> };
}

let around: Surroundings;
let app: INestApplicationContext;
let example: Example;

beforeAll(async () => {
  around = await Surroundings.of('docs/guides/sql-libraries.md');
  Object.assign(process.env, around.env);
  for (const table of ['orders', 'reservations']) await around.database.query(`CREATE TABLE ${table} (order_id text PRIMARY KEY)`);
  example = await around.examples.load<Example>('orders-module.ts');
  const made = await Test.createTestingModule({ imports: [example.OrdersModule] }).compile();
  made.useLogger(false);
  app = await made.init();
}, 120_000);

afterAll(async () => {
  await app.close();
  await example.db.destroy();
  await around.stop();
});

describe('the stock of the guide', () => {
  it('is reserved in the transaction that records the message, which went out with its order', async () => {
    await app.get(example.OrderDesk).place('A-1');
    // The order is not placed again, and goes out once.
    await expect(app.get(example.OrderDesk).place('A-1')).rejects.toThrow('orders_pkey');
    const rows = async (text: string) => (await around.database.query(text)).rows;
    await waitFor(async () => (await rows('SELECT * FROM reservations')).length === 1, { what: 'the reservation' });
    expect(await rows('SELECT order_id FROM reservations, millrace_inbox')).toEqual([{ order_id: 'A-1' }]);
    expect(await rows('SELECT order_id FROM orders')).toEqual([{ order_id: 'A-1' }]);
  });

  it('leaves nothing of the examples that was not run', () => {
    expect(around.examples.notRun()).toEqual([]);
  });
});
