import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { INestApplicationContext, Type } from '@nestjs/common';
import { Test, type TestingModuleBuilder } from '@nestjs/testing';
import { MillraceModule } from '@millrace/nestjs';
import { waitFor } from '@millrace/testing';
import { Surroundings } from '../surroundings.js';

interface Checkout {
  pay(orderId: string, cents: number): Promise<string>;
  cancel(chargeId: string): Promise<void>;
}

interface Refunds {
  begin(orderId: string): Promise<string>;
  result(id: string): Promise<{ chargeId: string }>;
  everywhere(orderId: string): Promise<string[]>;
}

interface Payments {
  readonly charges: Map<string, number>;
}

interface Prices {
  readonly made: number;
  readonly closed: number;
}

interface PriceAlarm {
  above(symbol: string, cents: number): Promise<number>;
}

let around: Surroundings;
let api: Type<object>;
let paymentsType: Type<Payments>;
let checkoutType: Type<Checkout>;
let monolith: Type;
let refundsType: Type<Refunds>;
let pricesApi: Type<object>;
let pricesType: Type<Prices>;
let alarmType: Type<PriceAlarm>;
let balanced: Type;
const apps: INestApplicationContext[] = [];

beforeAll(async () => {
  around = await Surroundings.of('docs/guides/calls.md');
  Object.assign(process.env, around.env);
  ({ PaymentsApi: api } = await around.examples.load<{ PaymentsApi: Type<object> }>('payments-api.ts'));
  ({ Payments: paymentsType } = await around.examples.load<{ Payments: Type<Payments> }>('payments.ts'));
  ({ Checkout: checkoutType } = await around.examples.load<{ Checkout: Type<Checkout> }>('checkout.ts'));
  ({ Refunds: refundsType } = await around.examples.load<{ Refunds: Type<Refunds> }>('refunds.ts'));
  ({ BalancedCheckoutModule: balanced } = await around.examples.load<{ BalancedCheckoutModule: Type }>('balanced-checkout.module.ts'));
  ({ MonolithModule: monolith } = await around.examples.load<{ MonolithModule: Type }>('monolith.ts'));
  ({ PricesApi: pricesApi } = await around.examples.load<{ PricesApi: Type<object> }>('prices-api.ts'));
  ({ Prices: pricesType } = await around.examples.load<{ Prices: Type<Prices> }>('prices.ts'));
  ({ PriceAlarm: alarmType } = await around.examples.load<{ PriceAlarm: Type<PriceAlarm> }>('price-alarm.ts'));
}, 120_000);

afterEach(async () => {
  await Promise.all(apps.splice(0).map((app) => app.close()));
});
afterAll(() => around.stop());

async function started(builder: TestingModuleBuilder): Promise<INestApplicationContext> {
  const made = await builder.compile();
  made.useLogger(false);
  apps.push(made);
  return made.init();
}

const serving = () => started(Test.createTestingModule({ imports: [MillraceModule.forRoot()], providers: [paymentsType] }));

async function calling(): Promise<Checkout> {
  const imports = [MillraceModule.forRoot(), MillraceModule.forFeature([api])];
  return (await started(Test.createTestingModule({ imports, providers: [checkoutType] }))).get(checkoutType);
}

describe('the payments of the guide', () => {
  it('are begun now, with a result that is fetched later, and asked for in all instances', async () => {
    const payments = [(await serving()).get(paymentsType), (await serving()).get(paymentsType)];
    const app = () => started(Test.createTestingModule({ imports: [MillraceModule.forRoot()], providers: [refundsType] }));
    const id = await (await app()).get(refundsType).begin('o9');
    expect(id).toBe('refund-o9');
    const refunds = (await app()).get(refundsType);
    expect(await refunds.result(id)).toMatchObject({ chargeId: 'charge-o9' });
    expect(await refunds.everywhere('o10')).toEqual(payments.map(() => expect.stringMatching(/ fulfilled$/)));
    expect(payments.map(({ charges }) => charges.get('o10'))).toEqual([1, 1]);
  });

  it('are charged by another process, and forgotten', async () => {
    const { charges } = (await serving()).get(paymentsType);
    const checkout = await calling();
    expect(await checkout.pay('o1', 500)).toBe('charge-o1');
    expect([...charges]).toEqual([['o1', 500]]);
    await checkout.cancel('charge-o1');
    await waitFor(() => charges.size === 0, { what: 'the charge to be forgotten' });
  });

  it('say why they were refused', async () => {
    await serving();
    expect(await (await calling()).pay('o2', 2_000_000)).toBe('refused: LIMIT');
  });

  it('are closed while nobody serves them', async () => {
    expect(await (await calling()).pay('o3', 500)).toBe('closed');
  });

  it('are the same in one process', async () => {
    const app = await started(Test.createTestingModule({ imports: [monolith] }));
    expect(await app.get(checkoutType).pay('o4', 500)).toBe('charge-o4');
    expect([...app.get(paymentsType).charges]).toEqual([['o4', 500]]);
  });

  it('have prices that are streamed to another process, as far as it takes them', async () => {
    const serves = await started(Test.createTestingModule({ imports: [MillraceModule.forRoot()], providers: [pricesType] }));
    const imports = [MillraceModule.forRoot(), MillraceModule.forFeature([pricesApi])];
    const calls = await started(Test.createTestingModule({ imports, providers: [alarmType] }));
    expect(await calls.get(alarmType).above('A', 300)).toBe(300);
    const prices = serves.get(pricesType);
    await waitFor(() => prices.closed === 1, { what: 'the method to be closed' });
    expect(prices.made).toBeLessThanOrEqual(201 + 32);
  });

  it('are charged by instances of a route, chosen by the order', async () => {
    const { charges } = (await serving()).get(paymentsType);
    const canary = await started(Test.createTestingModule({ imports: [MillraceModule.forRoot({ tags: ['canary'] })], providers: [paymentsType] }));
    const caller = await started(Test.createTestingModule({ imports: [MillraceModule.forRoot(), balanced] }));
    const checkout = caller.get(checkoutType, { strict: false });
    const orders = Array.from({ length: 200 }, (_, index) => `k${index}`);
    for (let turn = 0; turn < 2; turn += 1) await Promise.all(orders.map((order) => checkout.pay(order, 5)));
    const [plain, few] = [charges.size, canary.get(paymentsType).charges.size];
    expect(plain + few).toBe(200);
    expect(few).toBeGreaterThan(0);
    expect(few).toBeLessThan(30);
  });

  it('leave nothing of the examples that was not run', () => {
    expect(around.examples.notRun()).toEqual([]);
  });
});
