import { describe, expect, it } from '@jest/globals';
import { AdminBed } from './admin-bed.js';
import { Mail, mails, Order } from './topics.js';

const bed = new AdminBed('schedules');
const HOUR_MS = 3_600_000;

async function nowMs(): Promise<number> {
  const [seconds] = (await bed.command('TIME')) as [string];
  return Number(seconds) * 1_000;
}

describe('the schedules of topics', () => {
  it('tell how many messages of each are delayed, where, and when the first and the last are due', async () => {
    const before = await nowMs();
    const { publisher } = bed.application;
    await publisher.publishMany(Mail, mails(3));
    expect(await bed.admin.schedules.list()).toEqual({ items: [], scanned: 1, complete: true, nextCursor: null });
    await publisher.publish(Mail, { number: 1 }, { delay: '1h' });
    await publisher.publish(Mail, { number: 2 }, { delay: '3h' });
    await publisher.publish(Mail, { number: 3 }, { delay: '2h' });
    await publisher.publish(Order, { total: 1, customer: 'c-1' }, { delay: '2h' });
    const after = (await nowMs()) + 1_000;
    const { items, scanned } = await bed.admin.schedules.list();
    expect(items).toMatchObject([
      { topic: 'shop.mails', delayed: 3, partitions: [{ partition: 0, delayed: 3 }] }, { topic: 'shop.orders', delayed: 1, partitions: [{ delayed: 1 }] },
    ]);
    expect(scanned).toBe(2);
    const [{ nextAt, lastAt }] = items as [typeof items[0] & object];
    expect(nextAt.getTime() - HOUR_MS).toBeGreaterThanOrEqual(before);
    expect(nextAt.getTime() - HOUR_MS).toBeLessThanOrEqual(after);
    expect(lastAt.getTime() - 3 * HOUR_MS).toBeGreaterThanOrEqual(before);
    expect(lastAt.getTime() - 3 * HOUR_MS).toBeLessThanOrEqual(after);
    expect(items[1]!.nextAt).toEqual(items[1]!.lastAt);
  });

  it('come in pages by topic, and read no message, however many there are', async () => {
    const { publisher } = bed.application;
    await publisher.publishMany(Mail, mails(200).map((one) => ({ ...one, delay: '1h' as const })));
    await publisher.publish(Order, { total: 1 }, { delay: '2h' });
    const first = await bed.admin.schedules.list({ limit: 1 });
    expect(first).toMatchObject({ items: [{ topic: 'shop.mails', delayed: 200 }], complete: false });
    const commands = await bed.commandsOf(async () => {
      const second = await bed.admin.schedules.list({ limit: 1, cursor: first.nextCursor! });
      expect(second).toMatchObject({ items: [{ topic: 'shop.orders' }], complete: true });
    });
    const ranges = commands.filter(([name, key]) => name === 'zrange' && key?.endsWith(':delayed') && key.includes('shop.orders'));
    expect(ranges.every(([, , from, to]) => from === to)).toBe(true);
    expect(ranges.length).toBeGreaterThan(0);
    expect(commands.filter(([name, key]) => name === 'zcard' && key?.includes('{shop.mails:'))).toEqual([]);
    await expect(bed.admin.schedules.list({ cursor: `${first.nextCursor!.slice(0, 16)}.e30` })).rejects.toMatchObject({ code: 'INVALID_CURSOR' });
  });
});
