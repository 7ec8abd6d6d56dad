import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from '@jest/globals';
import { Controller } from '@nestjs/common';
import { Ctx, MessagePattern, Payload } from '@nestjs/microservices';
import { defineTopic, type MillraceContext, MillraceRecordBuilder, pgSource } from '@millrace/nestjs';
import { hasPostgres, startTestPostgres, type TestSqlServer, TypeScriptChild, waitFor } from '@millrace/testing';
import { Pool } from 'pg';
import { firstValueFrom } from 'rxjs';
import { Journal } from '../fixture.js';
import { EventPattern, toolsOf, TransportBench } from './fixture.js';

let bench: TransportBench;
let journal: Journal;
beforeAll(async () => void (bench = await TransportBench.start()));
beforeEach(() => {
  bench.begin();
  journal = new Journal();
});
afterEach(() => bench.closeAll());
afterAll(() => bench.stop());

interface Order {
  readonly id: string;
}

const PLACED = defineTopic<Order>('order.placed');

(hasPostgres() ? describe : describe.skip)('an event handler with the inbox', () => {
  let postgres: TestSqlServer;
  let pool: Pool;

  beforeAll(async () => {
    postgres = await startTestPostgres('fsync=off');
    pool = new Pool({ connectionString: postgres.url });
    await pool.query('CREATE TABLE reservations (id text, by text)');
  }, 120_000);
  beforeEach(() => pool.query('DELETE FROM reservations'));
  afterAll(async () => {
    await pool.end();
    await postgres.stop();
  });

  const reservations = async () => (await pool.query<{ id: string; by: string }>('SELECT id, by FROM reservations')).rows;

  it('has its writes undone when it throws, and done once when it is tried again', async () => {
    @Controller()
    class Stock {
      @EventPattern('order.placed', { group: 'stock', inbox: true })
      async reserve(@Payload() { id }: Order, @Ctx() { transaction, attempt }: MillraceContext) {
        await transaction.query('INSERT INTO reservations VALUES ($1, $2)', [id, `attempt ${attempt}`]);
        if (attempt === 1) throw new Error('rolled back');
      }

      @EventPattern('order.placed')
      beside(@Payload() { id }: Order, @Ctx() { attempt }: MillraceContext) {
        journal.add(`${id} ${attempt}`);
      }
    }
    const app = await bench.listening([Stock], { database: postgres.url });
    const { publisher, inspector } = toolsOf(app);
    await publisher.publish(PLACED, { id: 'o-1' });
    await waitFor(async () => (await inspector.group(PLACED, 'stock')).handled === 1, { what: 'the event to be handled' });
    expect(await reservations()).toEqual([{ id: 'o-1', by: 'attempt 2' }]);
    expect(await journal.has(1)).toEqual(['o-1 1']);
  });

  it('has one effect though its process was killed between the commit and the acknowledgement', async () => {
    const file = new URL('./fixtures/dying-stock.ts', import.meta.url);
    const dying = new TypeScriptChild(file, { args: [bench.redis.url, bench.prefix, postgres.url] });
    try {
      expect(await dying.line()).toBe('listening');
      await firstValueFrom(bench.client().emit('order.placed', { id: 'o-1' }));
      expect(await dying.line()).toBe('committed');
    } finally {
      await dying.kill('SIGKILL');
    }
    const source = pgSource(pool);
    @Controller()
    class Stock {
      @EventPattern('order.*', { group: 'stock', inbox: true })
      async reserve(@Payload() { id }: Order, @Ctx() context: MillraceContext) {
        await context.transactionOf(source).query('INSERT INTO reservations VALUES ($1, $2)', [id, 'next']);
      }
    }
    const app = await bench.listening([Stock], { database: source, lease: '500ms' });
    const { inspector } = toolsOf(app);
    await waitFor(async () => (await inspector.group(PLACED, 'stock')).handled === 1, { what: 'the event to be settled' });
    expect(await inspector.group(PLACED, 'stock')).toMatchObject({ deduplicated: 1, lag: 0 });
    expect(await reservations()).toEqual([{ id: 'o-1', by: 'dying' }]);
  });

  it('leaves handlers of requests, and those without it, no transaction', async () => {
    const codes: unknown[] = [];
    const codeOf = (context: MillraceContext): unknown => {
      try {
        return context.transaction;
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    @Controller()
    class Orders {
      @EventPattern('order.placed')
      placed(@Ctx() context: MillraceContext) {
        codes.push(codeOf(context));
      }

      @MessagePattern('order.count')
      count(@Ctx() context: MillraceContext) {
        return codeOf(context);
      }
    }
    await bench.listening([Orders], { database: postgres.url });
    const client = bench.client();
    expect(await firstValueFrom(client.send('order.count', {}))).toBe('INBOX_NOT_CONFIGURED');
    await firstValueFrom(client.emit('order.placed', {}));
    await waitFor(() => codes.length === 1, { what: 'the event' });
    expect(codes).toEqual(['INBOX_NOT_CONFIGURED']);
  });
});

describe('an event handler with idempotency', () => {
  it('handles events with the same key once, in whatever messages they come', async () => {
    @Controller()
    class Billing {
      @EventPattern('order.placed', { group: 'billing', idempotency: { key: (order: Order) => order.id } })
      bill(@Payload() { id }: Order) {
        journal.add(`bill ${id}`);
      }

      @EventPattern('order.placed')
      beside(@Payload() { id }: Order) {
        journal.add(`beside ${id}`);
      }
    }
    const app = await bench.listening([Billing]);
    const { publisher, inspector } = toolsOf(app);
    for (const id of ['o-1', 'o-1', 'o-2']) await publisher.publish(PLACED, { id });
    await waitFor(async () => (await inspector.group(PLACED, 'billing')).handled === 3, { what: 'all to be settled' });
    await journal.has(5);
    expect(journal.entries.toSorted()).toEqual(['beside o-1', 'beside o-1', 'beside o-2', 'bill o-1', 'bill o-2']);
    expect((await inspector.group(PLACED, 'billing')).deduplicated).toBe(1);
  });
});

describe('an event handler with a filter', () => {
  it('gets the events that fit, and those beside it in the group theirs; events for none are filtered', async () => {
    @Controller()
    class Orders {
      @EventPattern('order.placed', { filter: { headers: { region: ['eu', 'us'] } } })
      near(@Payload() { id }: Order) {
        journal.add(`near ${id}`);
      }

      @EventPattern('order.placed', { filter: { headers: { region: 'eu' }, key: 'vip' } })
      vip(@Payload() { id }: Order) {
        journal.add(`vip ${id}`);
      }
    }
    const app = await bench.listening([Orders]);
    const client = bench.client();
    const order = (id: string, region: string, key: string) =>
      new MillraceRecordBuilder({ id }).setHeaders({ region }).setKey(key).build();
    await firstValueFrom(client.emit('order.placed', order('1', 'eu', 'vip')));
    await firstValueFrom(client.emit('order.placed', order('2', 'us', 'vip')));
    await firstValueFrom(client.emit('order.placed', order('3', 'asia', 'vip')));
    const { inspector } = toolsOf(app);
    await waitFor(async () => (await inspector.group(PLACED, 'shop')).lag === 0, { what: 'all to be settled' });
    expect(journal.entries.toSorted()).toEqual(['near 1', 'near 2', 'vip 1']);
    expect(await inspector.group(PLACED, 'shop')).toMatchObject({ handled: 3, filtered: 1 });
  });
});
