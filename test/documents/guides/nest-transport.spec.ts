import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { writeFileSync } from 'node:fs';
import { type INestApplication, type INestMicroservice, Logger, Module, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { lastValueFrom, type Observable, toArray } from 'rxjs';
import { DeadLetters, defineTopic, MillraceClient, MillraceRecordBuilder, MillraceServer, type MillraceUnwrapped, type PublishResult } from '@millrace/nestjs';
import { waitFor } from '@millrace/testing';
import { complaints } from '../../repository/complaints.js';
import { examplesOf } from '../../repository/documents.js';
import { movesOf } from '../moves.js';
import { Surroundings } from '../surroundings.js';

const GUIDE = 'docs/guides/nest-transport.md';

interface Order {
  readonly id: string;
  readonly customer: string;
  readonly cents: number;
}

interface Desk {
  place(order: Order): Promise<PublishResult>;
  total(orders: readonly Order[]): Promise<number>;
  countdown(from: number): Observable<number>;
}

interface Seen {
  readonly seen: string[];
}

interface Till {
  pay(orderId: string): Promise<void>;
  refuse(orderId: string, reason: string): Promise<void>;
}

interface RedisShop {
  readonly app: INestMicroservice;
  readonly Checkout: Type<{ place(order: Order): Promise<number> }>;
  readonly Invoices: Type<{ readonly sent: string[] }>;
}

const moves = movesOf(GUIDE);
const tea = { id: 'A-1', customer: 'C-7', cents: 500 };
let around: Surroundings;
const apps: { close(): Promise<void> }[] = [];

function kept<T extends { close(): Promise<void> }>(app: T): T {
  apps.push(app);
  return app;
}

async function loaded<Example extends { readonly app: { close(): Promise<void> } }>(name: string): Promise<Example> {
  const example = await around.examples.load<Example>(name);
  kept(example.app);
  return example;
}

/** A microservice with a module of the guide. */
async function serving(module: Type, service: string): Promise<INestMicroservice> {
  const app = kept(await NestFactory.createMicroservice(module, { strategy: new MillraceServer({ service }), logger: false }));
  await app.listen();
  return app;
}

beforeAll(async () => {
  Logger.overrideLogger(false);
  around = await Surroundings.of('docs/guides/nest-transport.md');
  Object.assign(process.env, around.env);
  await around.database.query('CREATE TABLE reservations (order_id text NOT NULL)');
}, 120_000);

afterAll(async () => {
  await Promise.all(apps.map((app) => app.close()));
  await around.stop();
});

describe('the orders of the guide', () => {
  it('are emitted, handled by each group, and asked for', async () => {
    const { app } = await loaded<{ app: INestMicroservice }>('main.ts');
    const { Orders } = await around.examples.load<{ Orders: Type<Seen> }>('orders.ts');
    const { StockModule, StockDesk } = await around.examples.load<{ StockModule: Type; StockDesk: Type<Seen> }>('stock.ts');
    const stock = await serving(StockModule, 'stock-desk');
    const { DeskModule, Desk } = await around.examples.load<{ DeskModule: Type; Desk: Type<Desk> }>('desk.ts');
    const desk = kept(await NestFactory.createApplicationContext(DeskModule, { logger: false })).get(Desk);
    expect([(await desk.place(tea)).duplicate, (await desk.place(tea)).duplicate]).toEqual([false, true]);
    await waitFor(() => app.get(Orders).seen.length === 1, { what: 'the order' });
    expect(app.get(Orders).seen).toEqual(['A-1 of acme, key C-7']);
    expect(await desk.total([tea, tea])).toBe(1_000);
    const { totals } = await around.examples.load<{ totals: (client: MillraceClient, orders: object[]) => Promise<Map<string, number>> }>('ask-all.ts');
    expect([...(await totals(kept(new MillraceClient({ service: 'orders' })), [tea, tea])).values()]).toEqual([1_000]);
    expect(await lastValueFrom(desk.countdown(3).pipe(toArray()))).toEqual([3, 2, 1]);
    const { seen } = stock.get(StockDesk);
    await waitFor(() => seen.length === 2, { what: 'the mail and the audit', timeoutMs: 20_000 });
    expect(seen.toSorted()).toEqual(['desk.order.placed under desk.order.*', 'mail A-1']);
    const client = kept(new MillraceClient());
    await lastValueFrom(client.emit('desk.scan', Buffer.from('page')));
    await waitFor(() => seen.length === 3, { what: 'the scan' });
    expect(seen).toContain('scan of 4 bytes');
    const rows = async (): Promise<number> => (await around.database.query('SELECT FROM reservations')).rowCount;
    await waitFor(async () => (await rows()) === 1, { what: 'the reservation' });
    const states = stock.unwrap<MillraceUnwrapped>().subscriptions();
    expect(states.map(({ problem }) => problem)).toEqual([null, null, null, null]);
  });

  it('have types, and topics that are bounded', async () => {
    interface Typed { AccountsModule: Type; Accounts: Type<Seen>; Till: Type<Till> }
    const { AccountsModule, Accounts, Till } = await around.examples.load<Typed>('typed-orders.ts');
    const app = await serving(AccountsModule, 'accounts');
    await app.get(Till).pay('A-1');
    await app.get(Till).refuse('A-2', 'no money');
    const { seen } = app.get(Accounts);
    await waitFor(() => seen.length === 2, { what: 'both to be handled' });
    expect(seen.toSorted()).toEqual(['paid A-1', 'refused A-2: no money']);
    const { Carts } = await around.examples.load<{ Carts: Type<Seen> }>('bounded.ts');
    class CartModule {}
    Module({ controllers: [Carts] })(CartModule);
    const carts = await serving(CartModule, 'carts');
    await lastValueFrom(kept(new MillraceClient()).emit('desk.cart.changed', { cart: 'c-1' }));
    await waitFor(() => carts.get(Carts).seen.length === 1, { what: 'the cart' });
    expect(await carts.unwrap<MillraceUnwrapped>().inspector.topics()).toContainEqual(expect.objectContaining({ name: 'desk.cart.changed', partitions: 2 }));
  });
});

describe('the hybrid application of the guide', () => {
  it('handles events inside its global pipes, beside HTTP', async () => {
    const { app } = await loaded<{ app: INestApplication }>('hybrid.ts');
    const client = kept(new MillraceClient());
    await lastValueFrom(client.emit('desk.visit', { page: 7 }));
    await lastValueFrom(client.emit('desk.visit', { page: '/tea' }));
    const pages = async (): Promise<unknown> => (await fetch(`${await app.getUrl()}/visits`)).json();
    await waitFor(async () => JSON.stringify(await pages()) === '["/tea"]', { what: 'the visit that is valid' });
    const letters = () => app.get(DeadLetters).list(defineTopic('desk.visit'), 'visits');
    await waitFor(async () => (await letters()).length === 1, { what: 'the other one to be given up' });
    expect(await letters()).toMatchObject([{ payload: { page: 7 }, reason: 'DEAD_LETTER_ON', error: { name: 'BadRequestException' } }]);
  });
});

describe('the applications of the guide that move to Millrace', () => {
  async function journey({ app, Checkout, Invoices }: RedisShop): Promise<void> {
    expect(await app.get(Checkout).place(tea)).toBe(100);
    await waitFor(() => app.get(Invoices).sent.length === 1, { what: 'the invoice' });
    expect(app.get(Invoices).sent).toEqual(['A-1']);
  }

  it('change at most five lines each', () => {
    expect(moves.map(({ name, changed }) => [name, changed])).toEqual([['from-redis.ts', 4], ['from-rabbitmq.ts', 5], ['from-kafka.ts', 4]]);
  });

  it('compile before the move, too, and a text as the pattern does not where the guide says so', () => {
    const files = [...examplesOf(GUIDE), ...moves.map(({ name, before }) => [`before-${name}`, before] as const)];
    const untyped = examplesOf(GUIDE).get('orders.ts')!.replace("EventPattern<string>('", "EventPattern('");
    const found = complaints(new Map([...files, ['untyped.ts', untyped]]));
    expect(found).toEqual([expect.stringContaining('untyped.ts: Unable to resolve signature of method decorator')]);
  }, 120_000);

  it('do from Redis what they did there', async () => {
    const before = moves.find(({ name }) => name === 'from-redis.ts')!.before.replaceAll('6379', new URL(around.redis.url).port);
    writeFileSync(around.examples.fileOf('before-redis.ts'), before);
    await journey(await loaded<RedisShop>('before-redis.ts'));
    await journey(await loaded<RedisShop>('from-redis.ts'));
  });

  it('get the same event, whatever they came from', async () => {
    const { app: stock, Stock } = await loaded<{ app: INestMicroservice; Stock: Type<{ reserved: string[] }> }>('from-rabbitmq.ts');
    const { app: sales, Sales } = await loaded<{ app: INestMicroservice; Sales: Type<{ cents: Map<string, number> }> }>('from-kafka.ts');
    const record = new MillraceRecordBuilder({ ...tea, id: 'A-2' }).setKey('C-7').build();
    const client = kept(new MillraceClient({ service: 'stock' }));
    await lastValueFrom(client.emit('shop.order.placed', record));
    await waitFor(() => stock.get(Stock).reserved.includes('A-2'), { what: 'the reservation' });
    await waitFor(() => sales.get(Sales).cents.get('C-7') !== undefined, { what: 'the sale' });
    expect(await lastValueFrom(client.send('shop.stock', {}))).toBe(100 - stock.get(Stock).reserved.length);
  });

  it('leave nothing of the examples that was not run', () => {
    expect(around.examples.notRun()).toEqual([]);
  });
});
