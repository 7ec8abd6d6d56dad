import { afterAll, afterEach, beforeAll, expect, it } from '@jest/globals';
import { Injectable } from '@nestjs/common';
import { TypeScriptChild, waitFor } from '@millrace/testing';
import { Groups, Health, Inspector, MillraceModule, Publisher, Subscribe } from '@millrace/nestjs';
import { atOnce, Bench, OrderPlaced } from './fixture.js';
import { Begin } from './fixtures/contracts.js';
import { Kept } from './kept.js';

let bench: Bench;
const children: TypeScriptChild[] = [];
beforeAll(async () => void (bench = await Bench.start()));
afterEach(async () => {
  await bench.closeApps();
  await Promise.all(children.splice(0).map((child) => child.kill()));
});
afterAll(() => bench.stop());

const WAITING = 100_000;
const A_CALL = 10_000;

async function publishAll(publisher: Publisher): Promise<void> {
  const items = Array.from({ length: A_CALL }, () => ({ payload: { how: 'fail' } }));
  for (let published = 0; published < WAITING; published += A_CALL) await publisher.publishMany(Begin, items);
}

it('a build that throws on all of 100,000 waiting messages makes at most 100 dead letters in three processes, which say so', async () => {
  const prefix = bench.prefix();
  const app = await bench.app({ imports: [MillraceModule.forFeature([Begin])] }, { prefix, handlers: 'none' });
  await publishAll(app.get(Publisher));
  const env = { REDIS_URL: bench.redis.url, MILLRACE_PREFIX: prefix, MILLRACE_HEALTH_DETAILS: '1' };
  for (let started = 0; started < 3; started += 1) children.push(new TypeScriptChild(new URL('./fixtures/bad-build.ts', import.meta.url), { env }));
  const urls = await Promise.all(children.map(async (child) => (await child.line()).split(' ')[1]!));
  const broken = (): ReturnType<Groups['broken']> => app.get(Groups).broken(Begin, 'worker');
  await waitFor(async () => (await broken()).length === 3, { what: 'all to be paused', timeoutMs: 30_000 });
  expect((await broken())[0]).toMatchObject({ error: 'TypeError: undefined is not a function', why: expect.stringMatching(/^more than 90 %/) });
  const ready = await fetch(`${urls[0]!}/health/ready`);
  expect([ready.status, await ready.text()]).toEqual([503, expect.stringContaining('undefined is not a function')]);
  const { deadLetters, lag } = await app.get(Inspector).group(Begin, 'worker');
  expect(deadLetters).toBeLessThanOrEqual(100);
  expect(deadLetters + lag).toBe(WAITING);
});

it('is told in the log when it begins and when it ends, and not made with breaker: false', async () => {
  let isBad = true;
  @Injectable()
  class Handlers {
    @Subscribe(OrderPlaced, { group: 'held', breaker: { messages: 5, openFor: '100ms' }, retry: { ...atOnce, attempts: 2 } })
    held(): void {
      if (isBad) throw new Error('no stock');
    }

    @Subscribe(OrderPlaced, { group: 'free', breaker: false, retry: { ...atOnce, attempts: 1 } })
    free(): void {
      throw new Error('no mail');
    }
  }
  const kept = new Kept();
  const app = await bench.app({ providers: [Handlers] });
  app.useLogger(kept);
  await app.get(Publisher).publishMany(OrderPlaced, Array.from({ length: 40 }, () => ({ payload: { orderId: 'a', amount: 1 } })));
  const told = (text: string): Promise<unknown> =>
    waitFor(() => kept.entries.find((line) => line.includes(text)), { what: text });
  expect(await told('shop.orders.placed -> held is paused')).toMatch(
    /^error .*: more than 90 % of the last 5 messages failed at their first attempt\. .* The latest: Error: no stock/s,
  );
  expect((await app.get(Health).ready()).subscriptions.find(({ group }) => group === 'held')).toMatchObject({ pausedBy: ['failures'] });
  isBad = false;
  expect(await told('shop.orders.placed -> held works again, and goes on')).toMatch(/^warn /);
  await waitFor(async () => (await app.get(Inspector).group(OrderPlaced, 'free')).deadLetters === 40, { what: 'all dead letters' });
});

it.each([
  [{ failureRate: 0 }, 'failureRate must not be less than 1'],
  [{ messages: 4 }, 'messages must not be less than 5'],
  [{ openFor: '1h' }, "openFor must be a duration from '100ms' to '1m', such as '30s'"],
  ['often', 'breaker must be true, false, or an object of options'],
])('refuses breaker: %j at boot', async (breaker, problem) => {
  @Injectable()
  class Handlers {
    @Subscribe(OrderPlaced, { group: 'held', breaker: breaker as never })
    held(): void {
      // It is never called.
    }
  }
  await expect(bench.app({ providers: [Handlers] })).rejects.toThrow(problem);
});
