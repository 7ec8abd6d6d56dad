import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { type DeliveryContext, Outbox, type SqlTransaction } from '@millrace/nestjs';
import { connectDatabase, findDatabase, type RunningDatabase, type SqlDatabase } from '@millrace/outbox';
import type { Cashier } from '../src/checkout/cashier.js';
import { Checkout } from '../src/checkout/checkout.js';
import type { PlaceResult } from '../src/contracts/checkout-api.js';
import type { Invoice } from '../src/contracts/invoice.js';
import type { ChargeResult } from '../src/contracts/payments-api.js';
import { createTables } from '../src/database/tables.js';
import { countMails, readEffects } from '../src/demo/effects.js';
import { readOrderKept } from '../src/demo/order-kept.js';
import { Inventory } from '../src/inventory/inventory.js';
import { OrderedInventory } from '../src/inventory/ordered-inventory.js';
import { Archive } from '../src/mail/archive.js';
import { Mailer } from '../src/mail/mailer.js';
import type { Order } from '../src/orders/order.js';
import { Payments } from '../src/payments/payments.js';
import { PoisonError, poisonHeaders } from '../src/placement/poison.js';
import { Totals } from '../src/totals/totals.js';

let running: RunningDatabase;
let database: SqlDatabase;

beforeAll(async () => {
  running = await findDatabase({ env: {} });
  database = await connectDatabase({ url: running.url, connections: 2 });
});

afterAll(async () => {
  await database.close();
  await running.stop();
});

function context(transaction: SqlTransaction, headers: Readonly<Record<string, string>> = {}): DeliveryContext {
  return { messageId: 'one', headers, transaction } as DeliveryContext;
}

function place(order: Order, headers?: Readonly<Record<string, string>>): Promise<void> {
  return database.transaction((transaction) => new Inventory().placed(content(order), context(transaction, headers)));
}

function cancel(order: Order): Promise<void> {
  return database.transaction((transaction) => new Inventory().cancelled(content(order), context(transaction)));
}

function content(order: Order): Invoice {
  return { ...order, lines: [...order.lines] };
}

const ORDER: Order = {
  invoice: '1',
  customerId: null,
  country: 'EIRE',
  placedAt: '2024-01-08',
  lines: [
    { stockCode: 'A', quantity: 3, unitPrice: 125 },
    { stockCode: 'B', quantity: -2, unitPrice: 0 },
    { stockCode: 'A', quantity: 999_999_999, unitPrice: 999_999_999_999 },
    { stockCode: 'C', quantity: 1, unitPrice: -11_062_060 },
  ],
};

describe('the effects of the handlers', () => {
  test('start from nothing, and making the tables again changes nothing', async () => {
    await createTables(database);
    await createTables(database);
    const none = { moved: new Map(), placed: new Set(), mails: new Map(), charged: new Map() };
    expect(await readEffects(database)).toEqual({ revenue: 0n, units: 0n, ...none });
  });

  test('are increments, exact for any amount', async () => {
    const france = { ...ORDER, invoice: '2', country: 'France', lines: [{ stockCode: 'A', quantity: 1, unitPrice: 1 }] };
    await place(ORDER);
    await place(france);
    await cancel(france);
    await place(ORDER);
    const { revenue, units, moved } = Totals.of([ORDER, france, france, ORDER]);
    expect(await readEffects(database)).toMatchObject({ revenue, units, moved });
  });

  test('by the ordered inventory show which customers were handled out of order, in each topic', async () => {
    const note = (topic: string, key: string, offset: number): Promise<void> =>
      database.transaction((transaction) =>
        new OrderedInventory().placed(content(ORDER), { messageId: 'one', headers: {}, topic, key, partition: 0, offset, transaction } as DeliveryContext),
      );
    const kept = [['placed', 'a', 1], ['placed', 'b', 4], ['placed', 'a', 3], ['cancelled', 'a', 0], ['placed', 'b', 2], ['placed', 'b', 5]] as const;
    for (const [topic, key, offset] of kept) await note(topic, key, offset);
    expect(await readOrderKept(database)).toEqual({ messages: 6, disordered: ['b'] });
  });

  test('do not exist for a poison order', async () => {
    const before = await readEffects(database);
    await expect(place(ORDER, poisonHeaders)).rejects.toBeInstanceOf(PoisonError);
    expect(await readEffects(database)).toEqual(before);
  });

  test('hold one charge of an invoice, however often it is asked for at once or later', async () => {
    const payments = new Payments(database);
    const [one, again] = await Promise.all([charge('1', '12.500'), charge('1', '12.500')]);
    const [other, later] = [await charge('2', '-999999999999999.999'), await charge('1', '12.500')];
    expect([again, later]).toEqual([one, one]);
    expect(other).not.toEqual(one);
    const charged = new Map([['1', { charges: 1, amount: 12_500n }], ['2', { charges: 1, amount: -999_999_999_999_999_999n }]]);
    expect((await readEffects(database)).charged).toEqual(charged);

    function charge(invoice: string, amount: string): Promise<ChargeResult> {
      return payments.charge({ invoice, amount });
    }
  });

  test('have no second charge of another amount', async () => {
    await expect(new Payments(database).charge({ invoice: '1', amount: '12.501' })).rejects.toMatchObject({ code: 'OTHER_AMOUNT' });
    expect((await readEffects(database)).charged.get('1')).toEqual({ charges: 1, amount: 12_500n });
  });

  test('show a mail that was sent twice, and by which processes', async () => {
    const once = <T>(_: string, run: () => T | Promise<T>): Promise<T> => Promise.resolve(run());
    const mailer = new Mailer(database, new Archive());
    const send = (invoice: string): Promise<void> => mailer.send({ invoice, customerId: null }, { attempt: 1, once });
    await send('1');
    await send('2');
    await send('1');
    expect((await readEffects(database)).mails).toEqual(new Map([['1', [process.pid, process.pid]], ['2', [process.pid]]]));
    expect(await countMails(database)).toBe(2);
  });

  test('hold an invoice once, by whichever request placed it', async () => {
    const place = (invoice: string, requestId: string): Promise<PlaceResult> =>
      checkout.place({ ...content(ORDER), invoice }, { requestId, headers: {} });
    const cashier = { charge: () => Promise.resolve() } as unknown as Cashier;
    const outbox = new Outbox({ source: database });
    const checkout = new Checkout(cashier, database, outbox);
    await outbox.prepare();
    expect(await place('1', 'first')).toEqual({ duplicate: false });
    expect(await place('1', 'second')).toEqual({ duplicate: true });
    // Its process was killed before it had answered.
    expect(await place('1', 'first')).toEqual({ duplicate: false });
    expect(await place('C2', 'third')).toEqual({ duplicate: false });
    expect((await readEffects(database)).placed).toEqual(new Set(['1', 'C2']));
    expect(await outbox.counts()).toMatchObject({ pending: 2 });
  });
});
