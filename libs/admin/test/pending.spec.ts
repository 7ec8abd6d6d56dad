import { describe, expect, it } from '@jest/globals';
import type { PageOptions } from '@millrace/admin';
import { waitFor } from '@millrace/testing';
import { AdminBed } from './admin-bed.js';
import { Mail, mails, Order, orders } from './topics.js';

const bed = new AdminBed('pending');
const target = { topic: 'shop.mails', group: 'g' };

/** A group that is there, and no member of which runs: nobody takes over what is read in the name of one. */
async function resting(topic: typeof Mail | typeof Order): Promise<void> {
  await (await bed.subscribe({ topic, group: 'g' }, () => Promise.resolve())).stop(500);
}

/** Reads all that is new of some streams, as a member does. */
async function read(consumer: string, ...streams: string[]): Promise<void> {
  for (const stream of streams) await bed.command('XREADGROUP', 'GROUP', 'g', consumer, 'STREAMS', stream, '>');
}

/** The items of all pages, and how many pages there were. */
async function pages(of: typeof target, options: PageOptions): Promise<[offsets: string[], pages: number]> {
  const offsets: string[] = [];
  let [cursor, count]: [string | undefined, number] = [undefined, 0];
  do {
    const page = await bed.admin.groups.pending(of, { ...options, cursor });
    expect(page.items.length).toBeLessThanOrEqual(options.limit!);
    expect(page.complete).toBe(page.nextCursor === null);
    offsets.push(...page.items.map(({ partition, offset }) => `${partition}:${offset ?? ''}`));
    [cursor, count] = [page.nextCursor ?? undefined, count + 1];
  } while (cursor !== undefined);
  return [offsets, count];
}

describe('the pending messages of a group', () => {
  it('are those that a member holds, with their ids, and without what they say', async () => {
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    await bed.subscribe({ topic: Mail, group: 'g' }, () => gate);
    const receipt = await bed.application.publisher.publish(Mail, { number: 7 });
    await waitFor(async () => (await bed.admin.groups.pending(target)).items.length === 1, { what: 'a message that is held' });
    const page = await bed.admin.groups.pending(target);
    const member = (await bed.admin.groups.info(target)).members[0]!.name;
    expect(page).toEqual({
      items: [{
        partition: 0, offset: 0, stream: 'log', entry: expect.any(String), messageId: receipt.id, member, attempt: 1, crashes: 0,
        heldMs: expect.any(Number), since: expect.any(Date),
      }],
      scanned: 1, complete: true, nextCursor: null,
    });
    const seen = await bed.admin.seenBy({ payloads: false }).groups.pending(target);
    expect(seen).toMatchObject({ items: [{ messageId: receipt.id, member }] });
    open();
    await bed.drained({ topic: Mail, group: 'g' });
    expect((await bed.admin.groups.pending(target)).items).toEqual([]);
  });

  it('come once each, in order, over pages that end inside entries, from all partitions', async () => {
    await resting(Order);
    await (await bed.packer()).publishMany(Order, orders(60));
    await read('somebody', ...[0, 1, 2].map((partition) => bed.key('shop.orders', 'log', partition)));
    const of = { topic: 'shop.orders', group: 'g' };
    const [all, one] = await pages(of, { limit: 500 });
    expect(one).toBe(1);
    expect(new Set(all).size).toBe(60);
    const [cut, many] = await pages(of, { limit: 3 });
    expect(cut).toEqual(all);
    expect(many).toBeGreaterThanOrEqual(20);
  });

  it('leave out what is settled of an entry, and have what is tried again with its attempt and crashes', async () => {
    await resting(Mail);
    await (await bed.packer()).publishMany(Mail, mails(3));
    await read('somebody', bed.key('shop.mails', 'log'));
    await bed.command('SETBIT', bed.key('shop.mails', 'group:g:settled:0'), 1, 1);
    const copy = '[1,3,2,null,"[1,\\"again-1\\",null,null,null,{}]"]';
    const again = bed.key('shop.mails', 'group:g:again');
    await bed.command('XADD', again, '5-1', 'r', copy);
    await read('somebody', again);
    const { items } = await bed.admin.groups.pending(target);
    expect(items.map(({ stream, offset, attempt }) => [stream, offset, attempt])).toEqual([['log', 0, 1], ['log', 2, 1], ['again', 1, 3]]);
    expect(items[2]).toMatchObject({ member: 'somebody', crashes: 2, entry: '5-1', messageId: 'again-1' });
  });

  it('that an ordered group has are with the owner of their partition, who notes the attempts', async () => {
    await resting(Mail);
    const control = bed.key('shop.mails', 'group:g:control');
    await bed.application.publisher.publish(Mail, { number: 1 });
    await read('~owner', bed.key('shop.mails', 'log'));
    expect((await bed.admin.groups.pending(target)).items).toMatchObject([{ member: null, attempt: 1 }]);
    await bed.command('HSET', control, 'owner', 'owner-1', 'tried:0', '4 1 - 0 0 0');
    expect((await bed.admin.groups.pending(target)).items).toMatchObject([{ member: 'owner-1', attempt: 4, crashes: 1 }]);
  });

  it('may be entries that Millrace did not write, or large: a page looks at a bounded part', async () => {
    await resting(Mail);
    const log = bed.key('shop.mails', 'log');
    for (let left = 3; left > 0; left -= 1) await bed.command('XADD', log, '*', 'foreign', 'x'.repeat(100_000));
    await read('somebody', log);
    const commands = await bed.commandsOf(async () => {
      const { items } = await bed.admin.groups.pending(target);
      expect(items.map(({ offset, messageId }) => [offset, messageId])).toEqual([[null, null], [null, null], [null, null]]);
    });
    // Two entries are more than one run of the script reads.
    expect(commands.filter(([name]) => name === 'evalsha' || name === 'eval').length).toBeGreaterThan(1);
  });

  it('are refused for a group that is not there, and behind a cursor of another', async () => {
    await resting(Order);
    await resting(Mail);
    await bed.application.publisher.publishMany(Order, orders(60));
    await read('somebody', bed.key('shop.orders', 'log'));
    const { nextCursor } = await bed.admin.groups.pending({ topic: 'shop.orders', group: 'g' }, { limit: 1 });
    expect(nextCursor).not.toBeNull();
    await expect(bed.admin.groups.pending(target, { cursor: nextCursor! })).rejects.toMatchObject({ code: 'INVALID_CURSOR' });
    await expect(bed.admin.groups.pending({ ...target, group: 'h' })).rejects.toMatchObject({ code: 'UNKNOWN_GROUP' });
    await expect(bed.admin.groups.pending({ ...target, topic: 'none' })).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC' });
  });
});
