import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import type { Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { withoutHandlers } from '@millrace/nestjs';
import { freePort, TypeScriptChild, waitFor } from '@millrace/testing';
import { Surroundings } from './surroundings.js';

let around: Surroundings;
const children: TypeScriptChild[] = [];
beforeAll(async () => {
  around = await Surroundings.of('README.md');
}, 120_000);
afterEach(async () => {
  await Promise.all(children.splice(0).map((child) => child.kill()));
});
afterAll(() => around.stop());

/** One of the examples as a process. */
function start(name: string, env: NodeJS.ProcessEnv = {}): TypeScriptChild {
  const child = new TypeScriptChild(around.examples.fileOf(name), { env: { ...around.env, ...env } });
  children.push(child);
  return child;
}

/** Resolves with the line. */
async function lineOf(child: TypeScriptChild, text: string): Promise<string> {
  for (;;) {
    const line = await child.line();
    if (line.includes(text)) return line;
  }
}

async function piecesOf(item: string): Promise<number | undefined> {
  const { rows } = await around.database.query<{ pieces: number }>('SELECT pieces FROM stock WHERE item = $1', [item]);
  return rows[0]?.pieces;
}

/** An application that publishes and runs no handlers, in this process. */
async function publishing(use: (checkout: Checkout) => Promise<void>): Promise<void> {
  const { AppModule, Checkout } = await around.examples.load<Shop>('shop.ts');
  Object.assign(process.env, around.env);
  const app = await NestFactory.createApplicationContext(withoutHandlers(AppModule), { logger: false });
  await use(app.get(Checkout)).finally(() => app.close());
}

interface Checkout {
  place(order: object): Promise<void>;
}

interface Shop {
  readonly AppModule: Type;
  readonly Checkout: Type<Checkout>;
}

describe('the shop of the README', () => {
  it('places an order, lowers the stock and sends the mail, in the one process of main.ts, and stops in order', async () => {
    const main = start('main.ts');
    expect(await lineOf(main, 'mail for')).toBe('mail for A-1');
    await waitFor(async () => (await piecesOf('tea')) === 98, { what: 'the stock to be lowered' });
    main.process.kill('SIGTERM');
    expect(await main.ended).toEqual({ code: null, signal: 'SIGTERM' });
  });

  it('is handled by worker.ts, once for an order that is placed twice, and the worker tells its health', async () => {
    const order = { orderId: 'A-2', customerId: 'C-8', item: 'tea', quantity: 3 };
    const port = await freePort();
    const worker = start('worker.ts', { MILLRACE_HEALTH_PORT: String(port) });
    await publishing(async (checkout) => {
      await Promise.all([checkout.place(order), checkout.place(order)]);
      await checkout.place({ ...order, orderId: 'A-3' });
    });
    expect([await lineOf(worker, 'mail for'), await lineOf(worker, 'mail for')].sort()).toEqual(['mail for A-2', 'mail for A-3']);
    await waitFor(async () => (await piecesOf('tea')) === 92, { what: 'the stock to be lowered' });
    expect((await fetch(`http://127.0.0.1:${port}/health/ready`)).status).toBe(200);
    worker.process.kill('SIGTERM');
    expect(await worker.ended).toEqual({ code: 0, signal: null });
  });

  it('has nothing that was not run', () => {
    expect(around.examples.notRun()).toEqual([]);
  });
});
