import { Injectable, type Provider } from '@nestjs/common';
import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import {
  DeliveryContext, Health, InjectDatabase, JobHandler, MillraceModule, Outbox, type OutboxOptions, type SqlDatabase, Subscribe,
} from '@millrace/nestjs';
import { hasPostgres, startTestPostgres, type TestSqlServer, waitFor } from '@millrace/testing';
import { Bench, OrderPlaced, SendConfirmation } from '../fixture.js';
import { Kept } from '../kept.js';

const seen: string[] = [];

@Injectable()
class Handlers {
  @Subscribe(OrderPlaced, { group: 'outbox' })
  placed({ orderId }: OrderPlaced, context: DeliveryContext) {
    seen.push(`${context.messageId} ${orderId}`);
  }

  @JobHandler(SendConfirmation)
  confirm({ orderId }: SendConfirmation) {
    seen.push(`job ${orderId}`);
  }
}

@Injectable()
class Shop {
  constructor(
    private readonly outbox: Outbox,
    @InjectDatabase() readonly database: SqlDatabase,
  ) {}

  place(orderId: string, isGood = true): Promise<string> {
    return this.database.transaction(async (transaction) => {
      await transaction.query('INSERT INTO orders VALUES ($1)', [orderId]);
      const { id } = await this.outbox.publish(transaction, OrderPlaced, { orderId, amount: 1 });
      await this.outbox.enqueue(transaction, SendConfirmation, { orderId }, { delay: '1ms' });
      if (!isGood) throw new Error('no stock');
      return id;
    });
  }
}

const feature = MillraceModule.forFeature([OrderPlaced, SendConfirmation]);

(hasPostgres() ? describe : describe.skip)('the outbox of an application', () => {
  let bench: Bench;
  let postgres: TestSqlServer;

  const app = (outbox: boolean | OutboxOptions, prefix: string, providers: Provider[] = [Shop]) =>
    bench.app({ imports: [feature], providers }, { database: postgres.url, outbox, prefix });

  beforeAll(async () => {
    [bench, postgres] = await Promise.all([Bench.start(), startTestPostgres('fsync=off')]);
  });
  afterEach(() => bench.closeApps());
  afterAll(async () => {
    await bench?.stop();
    await postgres?.stop();
  });

  it('publishes and enqueues what a transaction stored with its own writes, and nothing of one that was rolled back', async () => {
    const made = await app(true, bench.prefix(), [Shop, Handlers]);
    const { database } = made.get(Shop);
    await database.query('CREATE TABLE IF NOT EXISTS orders (id text)');
    await expect(made.get(Shop).place('bad', false)).rejects.toThrow('no stock');
    const id = await made.get(Shop).place('good');
    await waitFor(() => seen.length === 2, { what: 'the message and the job to be handled' });
    expect(seen.sort()).toEqual([`${id} good`, 'job good'].sort());
    expect((await database.query('SELECT id FROM orders')).rows).toEqual([{ id: 'good' }]);
    expect(await made.get(Health).ready()).toMatchObject({ ok: true, outbox: { problem: null } });
  });

  it('is emptied by a process with nothing but a relay, for others that have none', async () => {
    const prefix = bench.prefix();
    const writer = await app({ relay: false }, prefix);
    const id = await writer.get(Shop).place('later');
    expect((await writer.get(Health).ready()).outbox).toBeNull();
    expect(await writer.get(Outbox).counts()).toMatchObject({ pending: 2 });
    const relay = await bench.app({ imports: [feature] }, { database: postgres.url, outbox: true, prefix, handlers: 'none' });
    await waitFor(async () => (await writer.get(Outbox).counts()).pending === 0, { what: 'the outbox to be empty' });
    await relay.close();
    seen.length = 0;
    await bench.app({ imports: [feature], providers: [Handlers] }, { prefix });
    await waitFor(() => seen.length === 2, { what: 'the message and the job to be handled' });
    expect(seen).toContain(`${id} later`);
  });

  it.each([
    ['publishes', { relay: true }, 'published here'],
    ['leaves to others to publish', { relay: false }, 'published by others'],
  ])('is named in the log of a process that %s it', async (_, outbox, told) => {
    const kept = new Kept();
    const parts = { imports: [feature], providers: [Shop] };
    await bench.start(bench.builder(parts, { database: postgres.url, outbox, prefix: bench.prefix() }), kept);
    expect(kept.entries).toEqual([expect.stringContaining(`; queues: none; outbox: ${told}; topics: `)]);
  });

  it('refuses to store anything where there is no outbox, and names unknown options', async () => {
    const made = await app(false, bench.prefix());
    await expect(made.get(Shop).place('none')).rejects.toThrow(/There is no outbox here/);
    await expect(app({ kepe: '1d' } as never, bench.prefix())).rejects.toThrow(/kepe/);
  });
});
