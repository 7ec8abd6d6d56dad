import { afterAll, beforeAll, beforeEach, describe, expect, it, jest } from '@jest/globals';
import type { INestApplicationContext, Type } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import { type DefinedTopic, Groups, Inspector, MillraceModule, Publisher } from '@millrace/nestjs';
import { connectServer, type StandaloneTopology } from '@millrace/redis';
import { startTestRedis, type TestRedis, waitFor } from '@millrace/testing';
import { Surroundings } from '../surroundings.js';
import { WindowServer } from './window-server.js';

interface Examples {
  'prices.ts': Record<'PriceEvent' | 'PriceChanged' | 'PriceWithdrawn', Type<object>>;
  'price-list.ts': { PriceList: Type<{ change(item: string, price: number): Promise<void>; announce(item: string, price: number): Promise<void> }> };
  'audit.ts': { AuditTrail: Type; Audit: DefinedTopic; PricesAbroad: DefinedTopic };
  'price-relay.ts': { PriceRelay: Type<{ relay(rows: readonly Row[]): Promise<Row[]> }> };
  'shop-window.ts': { ShopWindow: Type };
  'price-index.ts': { PriceIndex: Type; PriceCache: Type<{ prices: Map<string, number> }> };
  'repair.ts': { Repair: Type<{ tryAgain(): Promise<number>; indexAgain(since: Date): Promise<void> }> };
}

interface Row {
  readonly id: number;
  readonly item: string;
  readonly price: number;
}

let around: Surroundings;
let replica: TestRedis;
let redis: StandaloneTopology;
let window: WindowServer;
let app: INestApplicationContext;
let example: { [Name in keyof Examples]: Examples[Name] };
const printed: string[] = [];

beforeAll(async () => {
  around = await Surroundings.of('docs/guides/publish-subscribe.md');
  replica = await startTestRedis({ extra: ['--replicaof', '127.0.0.1', String(around.redis.port)] });
  redis = await connectServer({ url: around.redis.url, name: 'test' });
  window = await WindowServer.start();
  Object.assign(process.env, around.env, { WINDOW_URL: window.url });
  jest.spyOn(console, 'log').mockImplementation((line: string) => void printed.push(line));
  example = {
    'prices.ts': await around.examples.load('prices.ts'),
    'price-list.ts': await around.examples.load('price-list.ts'),
    'audit.ts': await around.examples.load('audit.ts'),
    'price-relay.ts': await around.examples.load('price-relay.ts'),
    'shop-window.ts': await around.examples.load('shop-window.ts'),
    'price-index.ts': await around.examples.load('price-index.ts'),
    'repair.ts': await around.examples.load('repair.ts'),
  };
  app = await started();
}, 120_000);

beforeEach(() => inStep());

afterAll(async () => {
  await app.close();
  redis.close();
  window.stop();
  await replica.stop();
  await around.stop();
});

async function started(): Promise<INestApplicationContext> {
  const { PriceEvent, PriceChanged, PriceWithdrawn } = example['prices.ts'];
  const { PriceIndex, PriceCache } = example['price-index.ts'];
  const { AuditTrail, Audit, PricesAbroad } = example['audit.ts'];
  const publishing = [example['price-list.ts'].PriceList, AuditTrail, example['price-relay.ts'].PriceRelay];
  const providers = [...publishing, example['shop-window.ts'].ShopWindow, PriceIndex, PriceCache, example['repair.ts'].Repair];
  const contracts = [PriceEvent, PriceChanged, PriceWithdrawn, Audit, PricesAbroad];
  const imports = [MillraceModule.forRoot(), MillraceModule.forFeature(contracts)];
  const made = await Test.createTestingModule({ imports, providers }).compile();
  made.useLogger(false);
  return made.init();
}

/** Resolves when the replica has all that the primary has. */
async function inStep(): Promise<void> {
  await redis.control.call('SET', 'in-step', 1);
  await waitFor(async () => Number(await redis.control.call('WAIT', 1, 100)) === 1, { what: 'the replica to follow' });
}

const prices = () => app.get(example['price-list.ts'].PriceList);
const repair = () => app.get(example['repair.ts'].Repair);
const group = (name: string) => app.get(Inspector).group(example['prices.ts'].PriceEvent, name);

function shown(line: string): Promise<boolean> {
  return waitFor(() => window.shown.includes(line), { what: `the window to show ${line}` });
}

function isPrinted(text: string, times = 1): Promise<boolean> {
  return waitFor(() => printed.filter((line) => line.includes(text)).length === times, { what: `${text} to be printed` });
}

describe('the prices of the guide', () => {
  it('reach the window, the index and the cache of the process', async () => {
    const { prices: cached } = app.get(example['price-index.ts'].PriceCache);
    cached.set('tea', 2);
    await prices().change('tea', 3);
    await shown('tea 3');
    await isPrinted('indexed: tea 3');
    await waitFor(() => !cached.has('tea'), { what: 'the cache to forget the old price' });
  });

  it('leave an entry in the audit trail', async () => {
    await prices().change('jam', 9);
    await isPrinted('audit: shop: jam costs 9');
  });

  it('from a table are relayed once, and known again', async () => {
    const rows = [{ id: 1, item: 'tea', price: 3 }, { id: 2, item: 'jam', price: 9 }];
    const relay = app.get(example['price-relay.ts'].PriceRelay);
    for (let times = 0; times < 2; times += 1) expect(await relay.relay(rows)).toEqual(rows);
    const stored = Array.from({ length: 8 }, (_, partition) => redis.control.call('XLEN', `millrace:{shop.prices.abroad:${partition}}:log`));
    expect((await Promise.all(stored)).map(Number).reduce((sum, count) => sum + count, 0)).toBe(2);
  });

  it('are not confirmed without a replica', async () => {
    replica.pause();
    await expect(prices().change('milk', 1)).rejects.toThrow(expect.objectContaining({ code: 'PUBLISH_INDEFINITE' }));
    replica.resume();
  });

  it('wait for an hour when they are announced', async () => {
    await prices().announce('sugar', 4);
    expect(await redis.control.call('ZCARD', 'millrace:{shop.prices:0}:delayed')).toBe(1);
    expect(window.shown).not.toContain('sugar 4');
  });

  it('from other regions are not for the window', async () => {
    await app.get(Publisher).publish(example['prices.ts'].PriceChanged, { item: 'salt', price: 5 }, { headers: { region: 'us' } });
    await waitFor(async () => (await group('shop-window')).filtered === 1, { what: 'the price to be filtered' });
    expect(window.shown).not.toContain('salt 5');
  });

  it('are told, and sent again, when the window did not know the item', async () => {
    expect(await repair().tryAgain()).toBe(0);
    window.statuses.set('cocoa', 404);
    await prices().change('cocoa', 6);
    await isPrinted('cocoa: DEAD_LETTERED_BY_HANDLER: the window does not show cocoa');
    window.statuses.delete('cocoa');
    expect(await repair().tryAgain()).toBe(1);
    await waitFor(() => window.shown.filter((line) => line === 'cocoa 6').length === 2, { what: 'the price to be sent again' });
  });

  it('wait for another attempt when the window takes no more', async () => {
    window.statuses.set('rum', 429);
    await prices().change('rum', 7);
    await waitFor(async () => (await group('shop-window')).retrying === 1, { what: 'the price to wait' });
  });

  it('that cannot be indexed are tried again alone', async () => {
    await Promise.all([prices().change('honey', -1), prices().change('bread', 8)]);
    await isPrinted('indexed: bread 8');
    await waitFor(async () => (await group('index')).retried > 0, { what: 'the bad price to be tried again' });
    expect(printed).not.toContain('indexed: honey -1');
  });

  it('are indexed again after a seek', async () => {
    await repair().indexAgain(new Date(Date.now() - 3_600_000));
    await isPrinted('indexed: tea 3', 2);
  });

  it('are not shown again when the group of the window is set back', async () => {
    const before = window.shown.length;
    const [step] = await app.get(Groups).seek(example['prices.ts'].PriceEvent, 'shop-window', { to: 'earliest' });
    expect(step!.again).toBeGreaterThan(0);
    await waitFor(async () => (await group('shop-window')).lag === 0, { what: 'all of them to be handled again' });
    expect(window.shown).toHaveLength(before);
  });

  it('leave nothing of the examples that was not run', () => {
    expect(around.examples.notRun()).toEqual([]);
  });
});
