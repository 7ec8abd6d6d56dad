import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestApplicationContext, Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { Publisher } from '@millrace/nestjs';
import { waitFor } from '@millrace/testing';
import { Surroundings } from '../surroundings.js';

interface Example {
  OrdersModule: Type;
  OrderPlaced: Type<{ orderId: string }>;
  db: { destroy(): Promise<void> };
}

let around: Surroundings;
let app: INestApplicationContext;
let example: Example;

beforeAll(async () => {
  around = await Surroundings.of('docs/guides/sql-libraries.md');
  Object.assign(process.env, around.env);
  await around.database.query('CREATE TABLE reservations (order_id text PRIMARY KEY)');
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
  it('is reserved in the transaction that records the message', async () => {
    const { id } = await app.get(Publisher).publish(example.OrderPlaced, { orderId: 'A-1' });
    const rows = async (text: string) => (await around.database.query(text)).rows;
    await waitFor(async () => (await rows('SELECT * FROM reservations')).length === 1, { what: 'the reservation' });
    expect(await rows('SELECT order_id, message_id FROM reservations, millrace_inbox')).toEqual([{ order_id: 'A-1', message_id: id }]);
  });

  it('leaves nothing of the examples that was not run', () => {
    expect(around.examples.notRun()).toEqual([]);
  });
});
