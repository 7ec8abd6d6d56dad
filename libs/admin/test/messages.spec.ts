import { describe, expect, it } from '@jest/globals';
import { type Admin, type BrowseOptions, type MessagePage, type MessageView } from '@millrace/admin';
import { topicOf } from '@millrace/core';
import { AdminBed } from './admin-bed.js';
import { Mail, mails, Order, orders } from './topics.js';

const bed = new AdminBed('messages');

/** All pages of a topic. */
async function pages(admin: Admin, topic: string, options: BrowseOptions): Promise<MessagePage[]> {
  const all: MessagePage[] = [];
  for (let cursor: string | undefined; ; ) {
    const page = await admin.messages.browse({ topic }, { ...options, cursor });
    all.push(page);
    if (page.nextCursor === null) return all;
    cursor = page.nextCursor;
  }
}

const numbersOf = (items: readonly MessageView[]): unknown[] => items.map(({ payload }) => (payload as Mail).number);
const itemsOf = (all: readonly MessagePage[]): MessageView[] => all.flatMap(({ items }) => items);

describe('browsing', () => {
  it('gives each message once, in order, over pages whose limits end inside entries', async () => {
    await (await bed.packer()).publishMany(Mail, mails(100));
    expect(await bed.command('XLEN', bed.key('shop.mails', 'log'))).toBeLessThan(20);
    const all = await pages(bed.admin, 'shop.mails', { limit: 7 });
    expect(numbersOf(itemsOf(all))).toEqual(mails(100).map(({ payload }) => payload.number));
    expect(all.every(({ items }) => items.length <= 7)).toBe(true);
    expect(all.map(({ complete }) => complete)).toEqual([...all.slice(1).map(() => false), true]);
    expect(all.reduce((sum, { scanned }) => sum + scanned, 0)).toBe(100);
    expect(all.every(({ gone }) => gone === 0)).toBe(true);
  });

  it('gives messages of all partitions, and of one alone when asked', async () => {
    await bed.application.publisher.publishMany(Order, orders(30));
    const all = itemsOf(await pages(bed.admin, 'shop.orders', { limit: 4 }));
    expect(new Set(all.map(({ id }) => id)).size).toBe(30);
    const topic = { topic: 'shop.orders' };
    const alone = await Promise.all([0, 1, 2].map((partition) => bed.admin.messages.browse(topic, { partition })));
    expect(alone.flatMap(({ items }) => items)).toEqual(all);
    expect(alone.every(({ items }, partition) => items.every((item) => item.partition === partition))).toBe(true);
  });

  it('begins at an offset or a moment, and ends at one', async () => {
    await bed.application.publisher.publishMany(Mail, mails(40));
    const topic = { topic: 'shop.mails' };
    const behind = await bed.admin.messages.browse(topic, { from: { offset: 33 } });
    expect(numbersOf(behind.items)).toEqual([33, 34, 35, 36, 37, 38, 39]);
    const { storedAt } = behind.items.at(-1)!;
    expect((await bed.admin.messages.browse(topic, { from: new Date(storedAt.getTime() + 1) })).items).toEqual([]);
    const before = new Date(behind.items[0]!.storedAt.getTime() - 60_000);
    expect((await bed.admin.messages.browse(topic, { until: before })).items).toEqual([]);
    expect((await bed.admin.messages.browse(topic, { from: new Date(0), until: storedAt })).items).toHaveLength(40);
  });

  it('reads no more entries for a page than it may, and says that it is not complete', async () => {
    for (const mail of mails(20)) await bed.application.publisher.publish(Mail, mail.payload);
    const page = await bed.admin.messages.browse({ topic: 'shop.mails' }, { where: [{ field: 'payload.number', op: '=', value: 19 }], mostEntries: 5 });
    expect(page).toMatchObject({ items: [], scanned: 5, complete: false });
    const all = await pages(bed.admin, 'shop.mails', { where: [{ field: 'payload.number', op: '=', value: 19 }], mostEntries: 5 });
    expect(all.map(({ scanned, complete }) => [scanned, complete])).toEqual(
      [[5, false], [5, false], [5, false], [5, false], [0, true]],
    );
    expect(numbersOf(itemsOf(all))).toEqual([19]);
  });

  it('goes on behind messages that were trimmed between two pages, and says how many are gone', async () => {
    await bed.application.publisher.publishMany(Mail, mails(100));
    const first = await bed.admin.messages.browse({ topic: 'shop.mails' }, { limit: 10 });
    const [last] = (await bed.command('XREVRANGE', bed.key('shop.mails', 'log'), '+', '-', 'COUNT', 1)) as [[string]];
    await bed.command('XTRIM', bed.key('shop.mails', 'log'), 'MINID', last[0]);
    const next = await bed.admin.messages.browse({ topic: 'shop.mails' }, { limit: 10, cursor: first.nextCursor! });
    expect(next.items.length).toBeGreaterThan(0);
    expect(next.gone).toBe(100 - 10 - next.items.length);
    await bed.command('XTRIM', bed.key('shop.mails', 'log'), 'MAXLEN', 0);
    const rest = await bed.admin.messages.browse({ topic: 'shop.mails' }, { limit: 10, cursor: first.nextCursor! });
    expect(rest).toMatchObject({ items: [], gone: 90, complete: true });
  });

  it('refuses a cursor of another question, of an earlier topic of that name, and one that was made up', async () => {
    await bed.application.publisher.publishMany(Mail, mails(50));
    const topic = { topic: 'shop.mails' };
    const { nextCursor } = await bed.admin.messages.browse(topic, { limit: 3 });
    const refused = { code: 'INVALID_CURSOR' };
    await expect(bed.admin.messages.browse(topic, { limit: 3, key: 'k', cursor: nextCursor! })).rejects.toMatchObject(refused);
    const [question] = nextCursor!.split('.');
    const forged = [{}, [], null, { partition: -1 }, { partition: 0, after: '*', inside: '', next: 0, generation: null }, { partition: 9, after: '0-0', inside: '', next: null, generation: null }];
    for (const position of forged) {
      const cursor = `${question}.${Buffer.from(JSON.stringify(position)).toString('base64url')}`;
      await expect(bed.admin.messages.browse(topic, { limit: 3, cursor })).rejects.toMatchObject(refused);
    }
    for (const cursor of ['x', `${question}.%%%`, `${question}.`, '../..']) {
      await expect(bed.admin.messages.browse(topic, { limit: 3, cursor })).rejects.toMatchObject(refused);
    }
    await bed.application.streams.topics.remove(Mail);
    await bed.application.streams.declare(topicOf(Mail));
    await expect(bed.admin.messages.browse(topic, { limit: 3, cursor: nextCursor! })).rejects.toMatchObject(refused);
  });

  it('shows an entry that is no message, with its fields, and goes on', async () => {
    await bed.application.publisher.publishMany(Mail, mails(2));
    await bed.command('XADD', bed.key('shop.mails', 'log'), '*', 'foreign', '<script>');
    const { items } = await bed.admin.messages.browse({ topic: 'shop.mails' });
    expect(items).toHaveLength(3);
    expect(items[2]).toMatchObject({ id: null, offset: null, problem: 'MALFORMED_ENVELOPE', found: [['foreign', '<script>']] });
  });
});

describe('browsing from the newest on', () => {
  const newest = { order: 'newest' } as const;
  const placeOf = ({ partition, offset }: MessageView): string => `${partition}:${offset}`;

  it('gives each message of all partitions once, the newest first, over pages that end inside entries', async () => {
    const publishers = [bed.application.publisher, await bed.packer()];
    for (let round = 0; round < 6; round += 1) await publishers[round % 2]!.publishMany(Order, orders(25));
    const forth = itemsOf(await pages(bed.admin, 'shop.orders', {}));
    for (const options of [{ limit: 7 }, { limit: 500 }, { limit: 11, mostEntries: 1 }]) {
      const all = await pages(bed.admin, 'shop.orders', { ...newest, ...options });
      const back = itemsOf(all);
      expect(back.map(placeOf).sort()).toEqual(forth.map(placeOf).sort());
      expect(back.every(({ storedAt }, index) => index === 0 || storedAt <= back[index - 1]!.storedAt)).toBe(true);
      expect(all.every(({ items, gone }) => items.length <= options.limit && gone === 0)).toBe(true);
      expect(all.reduce((sum, { scanned }) => sum + scanned, 0)).toBe(150);
    }
    const [{ items }] = (await pages(bed.admin, 'shop.orders', { ...newest, partition: 1, limit: 500 })) as [MessagePage];
    expect(items).toEqual(forth.filter(({ partition }) => partition === 1).reverse());
  });

  it('ends at an offset or a moment, and begins at one', async () => {
    await (await bed.packer()).publishMany(Mail, mails(40));
    const topic = { topic: 'shop.mails' };
    const down = await bed.admin.messages.browse(topic, { ...newest, from: { offset: 33 } });
    expect(numbersOf(down.items)).toEqual([39, 38, 37, 36, 35, 34, 33]);
    expect(down.complete).toBe(true);
    const { storedAt } = down.items[0]!;
    expect((await bed.admin.messages.browse(topic, { ...newest, from: new Date(storedAt.getTime() + 1) })).items).toEqual([]);
    expect((await bed.admin.messages.browse(topic, { ...newest, until: storedAt })).items).toHaveLength(40);
    const before = new Date(storedAt.getTime() - 60_000);
    expect((await bed.admin.messages.browse(topic, { ...newest, until: before })).items).toEqual([]);
  });

  it('reads no more entries for a page than it may, and a later page has nothing that came since', async () => {
    for (const mail of mails(20)) await bed.application.publisher.publish(Mail, mail.payload);
    const wish = { ...newest, where: [{ field: 'payload.number', op: '=', value: 2 }], mostEntries: 8 } as const;
    const first = await bed.admin.messages.browse({ topic: 'shop.mails' }, wish);
    expect(first).toMatchObject({ items: [], scanned: 8, complete: false });
    await bed.application.publisher.publish(Mail, { number: 2 });
    const second = await bed.admin.messages.browse({ topic: 'shop.mails' }, { ...wish, cursor: first.nextCursor! });
    const third = await bed.admin.messages.browse({ topic: 'shop.mails' }, { ...wish, cursor: second.nextCursor! });
    expect([second, third].flatMap(({ items }) => items).map(({ offset }) => offset)).toEqual([2]);
  });

  it('refuses the cursor of the other order, of an earlier topic of that name, and one that was made up', async () => {
    await bed.application.publisher.publishMany(Mail, mails(50));
    const topic = { topic: 'shop.mails' };
    const refused = { code: 'INVALID_CURSOR' };
    const { nextCursor } = await bed.admin.messages.browse(topic, { ...newest, limit: 3 });
    await expect(bed.admin.messages.browse(topic, { limit: 3, cursor: nextCursor! })).rejects.toMatchObject(refused);
    const [question] = nextCursor!.split('.');
    const place = { partition: 0, entry: '1-1', offset: 0, generations: '' };
    for (const position of [{}, { ...place, partition: 7 }, { ...place, entry: '*' }]) {
      const cursor = `${question}.${Buffer.from(JSON.stringify(position)).toString('base64url')}`;
      await expect(bed.admin.messages.browse(topic, { ...newest, limit: 3, cursor })).rejects.toMatchObject(refused);
    }
    await bed.application.streams.topics.remove(Mail);
    await bed.application.streams.declare(topicOf(Mail));
    await expect(bed.admin.messages.browse(topic, { ...newest, limit: 3, cursor: nextCursor! })).rejects.toMatchObject(refused);
    await expect(bed.admin.messages.browse(topic, { order: 'random' as never })).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
  });

  it('shows an entry that is no message, and counts messages that are missing', async () => {
    for (const mail of mails(5)) await bed.application.publisher.publish(Mail, mail.payload);
    const log = bed.key('shop.mails', 'log');
    const entries = (await bed.command('XRANGE', log, '-', '+')) as [string][];
    await bed.command('XDEL', log, entries[2]![0]);
    await bed.command('XADD', log, '*', 'foreign', 'x');
    const page = await bed.admin.messages.browse({ topic: 'shop.mails' }, newest);
    expect(page.items.map(({ offset }) => offset)).toEqual([null, 4, 3, 1, 0]);
    expect(page).toMatchObject({ gone: 1, complete: true });
  });
});

describe('a filter', () => {
  it('takes messages by key, header, text and parts, as data', async () => {
    const { publisher } = bed.application;
    await publisher.publish(Order, { total: 5, customer: 'a' }, { headers: { 'x-trace': 'one' } });
    await publisher.publish(Order, { total: 50, customer: 'a' });
    await publisher.publish(Order, { total: 500, customer: 'b.*' });
    const totals = async (options: BrowseOptions): Promise<number[]> => {
      const { items } = await bed.admin.messages.browse({ topic: 'shop.orders' }, options);
      return items.map(({ payload }) => (payload as Order).total).sort((one, other) => one - other);
    };
    expect(await totals({ key: 'a' })).toEqual([5, 50]);
    expect(await totals({ headers: { 'x-trace': 'one' } })).toEqual([5]);
    expect(await totals({ text: '"total":500' })).toEqual([500]);
    expect(await totals({ text: '.*' })).toEqual([500]);
    expect(await totals({ where: [{ field: 'payload.total', op: '>=', value: 50 }, { field: 'key', op: '!=', value: 'a' }] })).toEqual([500]);
    expect(await totals({ where: [{ field: 'payload.total', op: '<', value: '9' }] })).toEqual([]);
    expect(await totals({ where: [{ field: 'payload.constructor.name', op: '=', value: 'Object' }] })).toEqual([]);
    expect(await totals({ where: [{ field: 'payload.__proto__', op: '!=', value: null }] })).toEqual([5, 50, 500]);
  });

  it.each([
    ['a field of another kind', { where: [{ field: 'process.exit', op: '=', value: 1 }] }],
    ['an operator that is none', { where: [{ field: 'key', op: 'matches', value: 'a' }] }],
    ['a value that is an object', { where: [{ field: 'key', op: '=', value: { a: 1 } }] }],
    ['too many conditions', { where: Array.from({ length: 11 }, () => ({ field: 'key', op: '=', value: 'a' })) }],
    ['a key that is a list', { key: ['a', 'MAXLEN', '0'] }],
    ['a limit beyond 500', { limit: 501 }],
    ['a limit that is text', { limit: '10' }],
    ['entries beyond 10,000', { mostEntries: 10_001 }],
    ['a partition that is none', { partition: '0x0' }],
    ['a position that is none', { from: '-15m' }],
    ['a moment before 1970', { until: new Date(-1) }],
    ['a moment that is none', { until: new Date('x') }],
    ['an unknown option', { filter: 'payload' }],
    ['headers that are a list', { headers: ['a'] }],
    ['a text that is too long', { text: 'x'.repeat(1_025) }],
  ])('that has %s is refused before Redis is asked', async (_, options) => {
    await bed.application.publisher.publish(Mail, { number: 1 });
    await expect(bed.admin.messages.browse({ topic: 'shop.mails' }, options as never)).rejects.toMatchObject(
      { code: 'INVALID_OPTIONS' },
    );
  });

  it.each([['', 'INVALID_NAME'], ['a b', 'INVALID_NAME'], ['a:{b}', 'INVALID_NAME'], ['../../etc', 'INVALID_NAME'], [['v', 'MAXLEN'], 'INVALID_NAME'], ['no.such', 'UNKNOWN_TOPIC']])(
    'with the topic %j ends with %s', async (topic, code) => {
      await expect(bed.admin.messages.browse({ topic: topic as string })).rejects.toMatchObject({ code });
    },
  );
});

describe('a page of large messages', () => {
  it.each(['oldest', 'newest'] as const)('ends behind some megabytes, and the next one goes on: %s first', async (order) => {
    await bed.admin.topics.create({ topic: 'shop.large' }, { actor: 'ann' });
    for (let number = 0; number < 10; number += 1) {
      await bed.admin.messages.publish({ topic: 'shop.large' }, { actor: 'ann', payload: { number, text: 'x'.repeat(900_000) } });
    }
    const sizes: number[] = [];
    const offsets: (number | null)[] = [];
    for (let cursor: string | undefined; ; ) {
      const { items, nextCursor } = await bed.admin.messages.browse({ topic: 'shop.large' }, { order, cursor });
      sizes.push(items.length);
      offsets.push(...items.map(({ offset }) => offset));
      if (nextCursor === null) break;
      cursor = nextCursor;
    }
    expect(sizes.filter((size) => size > 0)).toEqual([5, 5]);
    const all = Array.from({ length: 10 }, (_, offset) => offset);
    expect(offsets).toEqual(order === 'oldest' ? all : all.reverse());
  });
});

describe('a search', () => {
  it('goes on behind its first page by the cursor alone, since the same moment, and refuses that of another search', async () => {
    await bed.application.publisher.publishMany(Mail, mails(20));
    const [topic, wanted] = [{ topic: 'shop.mails' }, { where: [{ field: 'payload.number', op: '>=', value: 0 }] } as const];
    const found: MessageView[] = [];
    const first = await bed.admin.messages.find(topic, { ...wanted, limit: 7 });
    for (let page = first; ; ) {
      found.push(...page.items);
      expect(page.since).toEqual(first.since);
      if (page.nextCursor === null) break;
      page = await bed.admin.messages.find(topic, { ...wanted, limit: 7, cursor: page.nextCursor });
    }
    expect(numbersOf(found)).toEqual(mails(20).map(({ payload }) => payload.number));
    const [cursor, refused] = [first.nextCursor!, { code: 'INVALID_CURSOR' }];
    expect((await bed.admin.messages.find(topic, { ...wanted, limit: 7, since: first.since, cursor })).items).toHaveLength(7);
    await expect(bed.admin.messages.find(topic, { ...wanted, since: new Date(0), cursor })).rejects.toMatchObject(refused);
    await expect(bed.admin.messages.find(topic, { type: 'none', cursor })).rejects.toMatchObject(refused);
    await expect(bed.admin.messages.browse(topic, { ...wanted, from: first.since, cursor })).rejects.toMatchObject(refused);
  });
});

describe('one message', () => {
  it('is found by its place, by its id and by a header, and is null where it is not', async () => {
    await bed.application.publisher.publishMany(Mail, mails(20));
    const { id } = await bed.application.publisher.publish(Mail, { number: 99 }, { headers: { 'x-order': '7' } });
    const topic = { topic: 'shop.mails' };
    const found = await bed.admin.messages.find(topic, { id });
    expect(found).toMatchObject({ complete: true, items: [{ id, offset: 20, payload: { number: 99 } }] });
    expect((await bed.admin.messages.find(topic, { headers: { 'x-order': '7' } })).items).toMatchObject([{ id }]);
    expect(await bed.admin.messages.get(topic, { partition: 0, offset: 20 })).toMatchObject({ id });
    expect(await bed.admin.messages.get(topic, { partition: 0, offset: 21 })).toBeNull();
    await expect(bed.admin.messages.get(topic, { partition: 1, offset: 0 })).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
    await expect(bed.admin.messages.find(topic, {})).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
    const later = await bed.admin.messages.find(topic, { id, since: new Date(Date.now() + 60_000) });
    expect(later).toMatchObject({ items: [], scanned: 0, complete: true });
  });
});
