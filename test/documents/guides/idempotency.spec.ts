import { afterAll, beforeAll, expect, it } from '@jest/globals';
import type { INestApplicationContext, Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { MillraceModule, Publisher } from '@millrace/nestjs';
import { waitFor } from '@millrace/testing';
import { Surroundings } from '../surroundings.js';

interface Examples {
  'order-desk.ts': { OrderPlaced: Type<{ id: string }>; OrderDesk: Type<{ place(id: string): Promise<void> }> };
  'mail-room.ts': { Elsewhere: Type<{ done: string[] }>; MailRoom: Type };
}

let around: Surroundings;
let app: INestApplicationContext;
let example: Examples;

beforeAll(async () => {
  around = await Surroundings.of('docs/guides/idempotency.md');
  await around.database.query('CREATE TABLE orders (id text PRIMARY KEY)');
  await around.database.query('CREATE TABLE reservations (order_id text NOT NULL)');
  example = { 'order-desk.ts': await around.examples.load('order-desk.ts'), 'mail-room.ts': await around.examples.load('mail-room.ts') };
  const { REDIS_URL: redis, DATABASE_URL: database } = around.env;
  const imports = [MillraceModule.forRoot({ redis, database, outbox: true }), MillraceModule.forFeature([example['order-desk.ts'].OrderPlaced])];
  const providers = [example['order-desk.ts'].OrderDesk, example['mail-room.ts'].Elsewhere, example['mail-room.ts'].MailRoom];
  const made = await Test.createTestingModule({ imports, providers }).compile();
  made.useLogger(false);
  app = await made.init();
}, 120_000);

afterAll(async () => {
  await app.close();
  await around.stop();
});

it('the orders of the guide take effect once, also when they are published twice and their handlers fail', async () => {
  const { OrderPlaced, OrderDesk } = example['order-desk.ts'];
  const elsewhere = app.get(example['mail-room.ts'].Elsewhere);
  await app.get(OrderDesk).place('7');
  // Somebody publishes the order once more, under another id.
  await waitFor(() => elsewhere.done.includes('mail 7'), { what: 'the mail' });
  await app.get(Publisher).publish(OrderPlaced, { id: '7' });
  await waitFor(() => elsewhere.done.filter((what) => what.startsWith('receipt')).length === 2, { what: 'both bills', timeoutMs: 20_000 });
  const count = (what: string): number => elsewhere.done.filter((done) => done === what).length;
  // Two messages were billed, each once; the key of the mail is the order.
  expect([count('mail 7'), count('charge 7'), count('receipt of charge 7')]).toEqual([1, 2, 2]);
  const rows = async (): Promise<number> => (await around.database.query('SELECT FROM reservations')).rowCount;
  await waitFor(async () => (await rows()) === 2, { what: 'the reservations' });
  expect(around.examples.notRun()).toEqual([]);
});
