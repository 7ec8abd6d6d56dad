import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { type INestApplicationContext, Injectable } from '@nestjs/common';
import { connectDatabase, findDatabase, type RunningDatabase, type SqlDatabase } from '@millrace/outbox';
import { connectServer, type StandaloneTopology } from '@millrace/redis';
import { DeadLetters, type DeliveryContext, fixed, Groups, Inspector, Publisher, Subscribe } from '@millrace/nestjs';
import { waitFor } from '@millrace/testing';
import { Bench, OrderPlaced } from './fixture.js';

let bench: Bench;
let database: RunningDatabase;
let sql: SqlDatabase;
beforeAll(async () => {
  [bench, database] = await Promise.all([Bench.start(), findDatabase({ env: {} })]);
  sql = await connectDatabase({ url: database.url });
  await sql.query('CREATE TABLE effects (id text, by text)');
});
beforeEach(async () => {
  await sql.query('TRUNCATE effects');
});
afterEach(() => bench.closeApps());
afterAll(async () => {
  await sql.close();
  await bench.stop();
  await database.stop();
});

const retry = { attempts: 2, backoff: fixed('400ms') };

@Injectable()
class Ledger {
  readonly ill = new Set<string>();

  @Subscribe(OrderPlaced, { group: 'ledger', inbox: true, retry })
  async book({ orderId }: OrderPlaced, { transaction }: DeliveryContext): Promise<void> {
    await transaction.query('INSERT INTO effects VALUES ($1, $2)', [orderId, 'ledger']);
    if (this.ill.has(orderId)) throw new Error('ill');
  }

  @Subscribe(OrderPlaced, { group: 'other', inbox: true })
  async note({ orderId }: OrderPlaced, { transaction }: DeliveryContext): Promise<void> {
    await transaction.query('INSERT INTO effects VALUES ($1, $2)', [orderId, 'other']);
  }
}

interface Shop {
  readonly app: INestApplicationContext;
  readonly ledger: Ledger;
  readonly groups: Groups;
  readonly letters: DeadLetters;
  readonly prefix: string;
}

async function shop(orders: readonly string[]): Promise<Shop> {
  const prefix = bench.prefix();
  const app = await bench.app({ providers: [Ledger] }, { database: database.url, prefix });
  for (const orderId of orders) await app.get(Publisher).publish(OrderPlaced, { orderId, amount: 1 });
  await idle(app);
  return { app, ledger: app.get(Ledger), groups: app.get(Groups), letters: app.get(DeadLetters), prefix };
}

async function idle(app: INestApplicationContext): Promise<void> {
  const inspector = app.get(Inspector);
  const lags = async (): Promise<number[]> =>
    Promise.all(['ledger', 'other'].map(async (group) => (await inspector.group(OrderPlaced, group)).lag));
  await waitFor(async () => (await lags()).every((lag) => lag === 0), { what: 'nothing to be left' });
}

/** How often each order took effect. */
async function effects(by = 'ledger'): Promise<Record<string, number>> {
  const { rows } = await sql.query<{ id: string; n: number }>('SELECT id, count(*)::int AS n FROM effects WHERE by = $1 GROUP BY id', [by]);
  return Object.fromEntries(rows.map(({ id, n }) => [id, n]));
}

async function replay({ app, groups }: Shop): Promise<void> {
  await groups.seek(OrderPlaced, 'ledger', { to: 'earliest' });
  await idle(app);
}

/** The group gives up what it is ill for. */
async function givenUp(one: Shop): Promise<void> {
  const isThere = async (): Promise<boolean> => (await one.letters.list(OrderPlaced, 'ledger')).length > 0;
  await waitFor(isThere, { what: 'the dead letter' });
  await idle(one.app);
  one.ledger.ill.clear();
}

async function withRedis(work: (redis: StandaloneTopology) => Promise<unknown>): Promise<void> {
  const redis = await connectServer({ url: bench.redis.url });
  try {
    await work(redis);
  } finally {
    redis.close();
  }
}

describe('a replay of a group with the inbox', () => {
  it('runs the handler once for each replay, in its transaction', async () => {
    const one = await shop(['a', 'b']);
    expect(await effects()).toEqual({ a: 1, b: 1 });
    await replay(one);
    expect(await effects()).toEqual({ a: 2, b: 2 });
    await replay(one);
    expect(await effects()).toEqual({ a: 3, b: 3 });
    expect(await effects('other')).toEqual({ a: 1, b: 1 });
    expect(await one.app.get(Inspector).group(OrderPlaced, 'ledger')).toMatchObject({ handled: 6, deduplicated: 0 });
  });

  it('still has one effect of one message that lies in two entries', async () => {
    const one = await shop(['twin']);
    const partition = `${one.prefix}:{shop.orders.placed:0}`;
    await withRedis(async ({ control }) => {
      const [[, [, message]]] = (await control.call('XRANGE', `${partition}:log`, '-', '+')) as [[string, string[]]];
      await control.call('HSET', `${partition}:meta`, 'next', 2);
      await control.call('XADD', `${partition}:log`, `${Date.now()}-16`, 'm', message!);
      await control.call('SPUBLISH', `${partition}:ring`, 'log by-hand');
    });
    await idle(one.app);
    expect(await effects()).toEqual({ twin: 1 });
    await replay(one);
    expect(await effects()).toEqual({ twin: 2 });
  });

  it('goes back as a whole where the handler fails, and is tried again as part of the same replay', async () => {
    const one = await shop(['a']);
    one.ledger.ill.add('a');
    await one.groups.seek(OrderPlaced, 'ledger', { to: 'earliest' });
    const isWaiting = async (): Promise<boolean> => (await one.app.get(Inspector).group(OrderPlaced, 'ledger')).retrying === 1;
    await waitFor(isWaiting, { what: 'the first attempt to fail' });
    one.ledger.ill.clear();
    await idle(one.app);
    expect(await effects()).toEqual({ a: 2 });
  });

  it('stays that of an earlier seek for what waits for another attempt before the position of a later one', async () => {
    const one = await shop(['a', 'b']);
    one.ledger.ill.add('a');
    await one.groups.seek(OrderPlaced, 'ledger', { to: 'earliest' });
    const isWaiting = async (): Promise<boolean> => (await one.app.get(Inspector).group(OrderPlaced, 'ledger')).retrying === 1;
    await waitFor(isWaiting, { what: 'the first attempt to fail' });
    one.ledger.ill.clear();
    await one.groups.seek(OrderPlaced, 'ledger', { to: { offset: 1 } });
    await idle(one.app);
    expect(await effects()).toEqual({ a: 2, b: 3 });
  });

  it('is not taken for an earlier one whose number a failover took back', async () => {
    const one = await shop(['a']);
    await replay(one);
    await withRedis(async ({ control }) => control.call('DEL', `${one.prefix}:{shop.orders.placed:0}:group:ledger:control`));
    await replay(one);
    expect(await effects()).toEqual({ a: 3 });
  });
});

describe('a redrive to a group with the inbox', () => {
  it.each(['group', 'topic'] as const)('to the %s runs the handler for a message that never took effect', async (to) => {
    const one = await shop([]);
    one.ledger.ill.add('a');
    await one.app.get(Publisher).publish(OrderPlaced, { orderId: 'a', amount: 1 });
    await givenUp(one);
    expect(await effects()).toEqual({});
    await one.letters.redrive(OrderPlaced, 'ledger', { all: true, to });
    await idle(one.app);
    expect([await effects(), await effects('other')]).toEqual([{ a: 1 }, { a: 1 }]);
  });

  it.each(['group', 'topic'] as const)('to the %s runs the handler once for a replay that gave the message up', async (to) => {
    const one = await shop(['a']);
    one.ledger.ill.add('a');
    await one.groups.seek(OrderPlaced, 'ledger', { to: 'earliest' });
    await givenUp(one);
    expect(await effects()).toEqual({ a: 1 });
    await one.letters.redrive(OrderPlaced, 'ledger', { all: true, to });
    await idle(one.app);
    expect([await effects(), await effects('other')]).toEqual([{ a: 2 }, { a: 1 }]);
  });

  it('does not run the handler twice within a replay that handled the message after it was given up', async () => {
    const one = await shop([]);
    one.ledger.ill.add('a');
    await one.app.get(Publisher).publish(OrderPlaced, { orderId: 'a', amount: 1 });
    await givenUp(one);
    await replay(one);
    expect(await effects()).toEqual({ a: 1 });
    await one.letters.redrive(OrderPlaced, 'ledger', { all: true });
    await idle(one.app);
    expect(await effects()).toEqual({ a: 1 });
  });
});
