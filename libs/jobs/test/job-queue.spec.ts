import { afterAll, afterEach, beforeAll, describe, expect, it } from '@jest/globals';
import { JobQueue } from '../src/index.js';
import { SendMail, SendMore } from './contracts.js';
import { handler, JobsFixture, Signal } from './jobs-fixture.js';

let fixture: JobsFixture;
beforeAll(async () => {
  fixture = await JobsFixture.start();
});
afterEach(async () => {
  await fixture.clear();
});
afterAll(() => fixture.stop());

const count = () => fixture.jobs.counts('emails');

describe('enqueue', () => {
  it('stores the payload as it is, with BullMQ options that a plain worker understands', async () => {
    const { id, duplicate } = await fixture.jobs.enqueue(SendMail, { to: 'a@b.c' });
    expect(duplicate).toBe(false);
    const stored = await fixture.stored('emails', id);
    expect(stored.data).toEqual({ to: 'a@b.c' });
    expect(stored.opts).toMatchObject({ attempts: 3, backoff: { type: 'fixed', delay: 5 } });
    expect(await count()).toEqual({ waiting: 1, active: 0, delayed: 0, completed: 0, failed: 0 });
  });

  it('gives jobs without a key an id of their own', async () => {
    const results = await Promise.all([1, 2, 3].map(() => fixture.jobs.enqueue(SendMail, { to: 'a@b.c' })));
    expect(new Set(results.map(({ id }) => id)).size).toBe(3);
    expect((await count()).waiting).toBe(3);
  });

  it('delays', async () => {
    const { id } = await fixture.jobs.enqueue(SendMail, { to: 'a@b.c' }, { delay: '1.5h' });
    expect((await fixture.stored('emails', id)).delay).toBe(5_400_000);
    expect((await count()).delayed).toBe(1);
  });

  it('hands out jobs by priority, those without one first', async () => {
    for (const [to, priority] of [['last', 2_097_151], ['first', 1], ['none', undefined]] as const) {
      await fixture.jobs.enqueue(SendMail, { to }, { priority });
    }
    expect((await count()).waiting).toBe(3);
    const seen: string[] = [];
    const done = new Signal();
    await fixture.worker([handler(SendMail, ({ to }) => seen.push(to) === 3 && done.give())], { concurrency: 1 });
    await done.promise;
    expect(seen).toEqual(['none', 'first', 'last']);
  });

  it.each([
    ['a payload that is not valid', { to: 7 }, {}, 'INVALID_PAYLOAD'],
    ['a payload that is no object', 'x', {}, 'INVALID_PAYLOAD'],
    ['a payload that JSON does not have', { to: 'a', copies: 1n }, {}, 'UNSERIALIZABLE_PAYLOAD'],
    ['a payload that is too large', { to: 'x'.repeat(1024 * 1024) }, {}, 'PAYLOAD_TOO_LARGE'],
    ['an unknown option', { to: 'a' }, { dealy: '1s' }, 'INVALID_OPTIONS'],
    ['a delay that is no duration', { to: 'a' }, { delay: 1_000 }, 'INVALID_OPTIONS'],
    ['a delay of decades', { to: 'a' }, { delay: '36500d' }, 'INVALID_OPTIONS'],
    ['a negative priority', { to: 'a' }, { priority: -1 }, 'INVALID_OPTIONS'],
    ['a priority beyond 2^21 - 1', { to: 'a' }, { priority: 2 ** 21 }, 'INVALID_OPTIONS'],
    ['a fraction of a priority', { to: 'a' }, { priority: 1.5 }, 'INVALID_OPTIONS'],
    ['a key of another type', { to: 'a' }, { idempotencyKey: ['a'] }, 'INVALID_OPTIONS'],
    ['half a character in a key', { to: 'a' }, { idempotencyKey: 'a\ud800' }, 'INVALID_OPTIONS'],
    ['an empty key', { to: 'a' }, { idempotencyKey: '' }, 'INVALID_OPTIONS'],
    ['a key of 257 bytes', { to: 'a' }, { idempotencyKey: 'é'.repeat(128) + 'x' }, 'INVALID_OPTIONS'],
  ])('refuses %s and stores nothing', async (_name, payload, options, code) => {
    await expect(fixture.jobs.enqueue(SendMail, payload as never, options as never)).rejects.toMatchObject({ code });
    expect((await count()).waiting).toBe(0);
  });

  it('names the nearest known option', async () => {
    const misspelt = { idempotencykey: 'a' };
    await expect(fixture.jobs.enqueue(SendMail, { to: 'a' }, misspelt as never)).rejects.toThrow(/did you mean 'idempotencyKey'/);
  });

  it('delivers prototype names as plain data', async () => {
    const payload = JSON.parse('{"to":"a","__proto__":{"admin":true}}') as SendMore;
    const seen = new Signal<object>();
    await fixture.worker([handler(SendMore, (given) => seen.give(given))]);
    await fixture.jobs.enqueue(SendMore, payload);
    await seen.promise;
    expect(({} as { admin?: boolean }).admin).toBeUndefined();
  });

  it('refuses a class that is no job, and a queue that nobody registered', async () => {
    await expect(fixture.jobs.enqueue(Date as never, {})).rejects.toMatchObject({ code: 'NOT_A_JOB' });
    const empty = new JobQueue(() => undefined as never);
    await expect(empty.enqueue(SendMail, { to: 'a' })).rejects.toMatchObject({ code: 'UNKNOWN_QUEUE' });
    await expect(empty.counts('emails')).rejects.toMatchObject({ code: 'UNKNOWN_QUEUE' });
  });

  it('says that a closed queue is closed', async () => {
    const closed = fixture.newQueue('emails');
    await closed.waitUntilReady();
    await closed.close();
    await expect(new JobQueue(() => closed).enqueue(SendMail, { to: 'a' })).rejects.toMatchObject({ code: 'CLOSED' });
  });
});

describe('enqueueMany', () => {
  it('keeps the order, over several round trips', async () => {
    const items = Array.from({ length: 1_201 }, (_, index) => ({ payload: { to: `${index}` } }));
    const results = await fixture.jobs.enqueueMany(SendMail, items);
    expect(results).toHaveLength(1_201);
    expect((await count()).waiting).toBe(1_201);
    for (const index of [0, 499, 500, 1_200]) {
      expect((await fixture.stored('emails', results[index]!.id)).data).toEqual({ to: `${index}` });
    }
  });

  it('stores nothing when one item is not valid, and says which', async () => {
    const items = [{ payload: { to: 'a' } }, { payload: { to: 1 } }];
    await expect(fixture.jobs.enqueueMany(SendMail, items as never)).rejects.toThrow(/item 1/);
    expect((await count()).waiting).toBe(0);
  });

  it.each([['a hole', Array(1)], ['undefined', [undefined]], ['null', [null]], ['a text', ['a']]])('says which item is %s', async (_, bad) => {
    const items = [{ payload: { to: 'a' } }].concat(bad as never);
    const refused = { code: 'INVALID_INPUT', message: 'enqueueMany(SendMail), item 1: an item must be an object with a payload.' };
    await expect(fixture.jobs.enqueueMany(SendMail, items)).rejects.toMatchObject(refused);
    expect((await count()).waiting).toBe(0);
  });

  it('takes an empty list and refuses what is no list', async () => {
    await expect(fixture.jobs.enqueueMany(SendMail, [])).resolves.toEqual([]);
    await expect(fixture.jobs.enqueueMany(SendMail, { payload: { to: 'a' } } as never)).rejects.toMatchObject({ code: 'INVALID_INPUT' });
  });
});
