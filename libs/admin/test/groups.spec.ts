import { describe, expect, it } from '@jest/globals';
import { hostname } from 'node:os';
import type { SeekGroupOptions } from '@millrace/admin';
import { waitFor } from '@millrace/testing';
import { AdminBed, confirmationIn } from './admin-bed.js';
import { Mail, mails, Order, orders } from './topics.js';

const bed = new AdminBed('groups');
const actor = 'ann';
const target = { topic: 'shop.mails', group: 'g' };

async function confirmed<T extends { dryRun?: boolean; confirm?: string; actor: string }>(
  act: (options: T) => Promise<unknown>,
  options: T,
): Promise<unknown> {
  const dry = (await act({ ...options, dryRun: true })) as { dryRun: boolean };
  return act({ ...options, confirm: confirmationIn(dry) });
}

describe('a group', () => {
  it('tells its lag, its members with their hosts and processes, and each partition', async () => {
    await bed.subscribe({ topic: Order, group: 'g' }, async () => undefined);
    await bed.subscribe({ topic: Order, group: 'h' }, async () => undefined);
    await bed.application.publisher.publishMany(Order, orders(30));
    await bed.drained({ topic: Order, group: 'g' });
    const info = await bed.admin.groups.info({ topic: 'shop.orders', group: 'g' });
    expect(info).toMatchObject(
      { topic: 'shop.orders', group: 'g', paused: null, state: { handled: 30, lag: 0, lagSeconds: 0 }, partitions: [{}, {}, {}] },
    );
    const host = hostname().replace(/[^A-Za-z0-9-]/g, '-');
    expect(info.members).toEqual(
      [expect.objectContaining({ host, pid: process.pid, state: 'present', pending: 0, heardMs: expect.any(Number) })],
    );
    const first = await bed.admin.groups.list({ topic: 'shop.orders' }, { limit: 1 });
    const second = await bed.admin.groups.list({ topic: 'shop.orders' }, { limit: 1, cursor: first.nextCursor! });
    expect([first, second].flatMap(({ items }) => items.map(({ group }) => group))).toEqual(['g', 'h']);
    expect([first.complete, second.complete]).toEqual([false, true]);
  });

  it('has silent members, whose processes have given no sign of life for 15 s', async () => {
    await bed.subscribe({ topic: Mail, group: 'g' }, async () => undefined);
    const [silent, heard] = ['other-7-0123456789ab', 'other-8-0123456789ab'];
    for (const [name, ago] of [[silent, 20_000], [heard, 5_000]] as const) {
      await bed.command('XGROUP', 'CREATECONSUMER', `${bed.prefix}:{shop.mails:0}:log`, 'g', `${name}.1`);
      await bed.command('SET', `${bed.prefix}:{presence}:${name}`, '1  1 1', 'PX', 86_400_000 - ago);
    }
    const { members } = await bed.admin.groups.info(target);
    expect(members.map(({ pid, state }) => [pid, state]).filter(([pid]) => pid !== process.pid)).toEqual([[7, 'silent'], [8, 'present']]);
  });

  it('that is not there, or has a name that is none, is refused', async () => {
    await bed.subscribe({ topic: Mail, group: 'g' }, async () => undefined);
    await expect(bed.admin.groups.info({ topic: 'shop.mails', group: 'no' })).rejects.toMatchObject({ code: 'UNKNOWN_GROUP' });
    for (const group of ['', '~owner', 'a b', ['g'], null]) {
      await expect(bed.admin.groups.info({ topic: 'shop.mails', group: group as never })).rejects.toMatchObject(
        { code: 'INVALID_NAME' },
      );
    }
  });

  it('is paused by its operator, whose name everybody sees, and resumed', async () => {
    await bed.subscribe({ topic: Mail, group: 'g' }, async () => undefined);
    expect(await bed.admin.groups.pause(target, { actor, dryRun: true })).toMatchObject(
      { dryRun: true, impact: { before: null }, confirmation: null },
    );
    expect((await bed.admin.groups.info(target)).paused).toBeNull();
    expect(await bed.admin.groups.pause(target, { actor })).toMatchObject({ result: { busy: [] }, audited: true });
    expect((await bed.admin.groups.info(target)).paused).toEqual({ by: 'ann', since: expect.any(Date), until: null });
    expect(await bed.admin.groups.resume(target, { actor: 'bob' })).toMatchObject(
      { impact: { before: { by: 'ann' } }, result: { changed: true } },
    );
    expect((await bed.admin.groups.info(target)).paused).toBeNull();
    expect(await bed.admin.groups.resume(target, { actor: 'bob' })).toMatchObject({ result: { changed: false } });
  });

  it('is paused in part while a member still holds a message', async () => {
    let end = (): void => undefined;
    const held = new Promise<void>((resolve) => (end = resolve));
    await bed.subscribe({ topic: Mail, group: 'g' }, () => held);
    await bed.application.publisher.publish(Mail, { number: 1 });
    await waitFor(async () => (await bed.admin.groups.info(target)).state?.pending === 1, { what: 'a message that is held' });
    expect(await bed.admin.groups.pause(target, { actor, within: '0ms' })).toMatchObject({ partial: true, result: { busy: [expect.any(String)] } });
    end();
    await bed.drained({ topic: Mail, group: 'g' });
    expect(await bed.admin.groups.pause(target, { actor })).toMatchObject({ partial: false, result: { busy: [] } });
  });

  it('tells of members that are paused since their handlers fail, and lets them go on', async () => {
    await bed.subscribe({ topic: Mail, group: 'g' }, async () => undefined);
    const [member] = (await bed.admin.groups.info(target)).members;
    const record = JSON.stringify({ sinceMs: 1_790_000_000_000, why: 'all fail', error: 'no' });
    await bed.command('HSET', bed.key('shop.mails', 'group:g:broken'), member!.name, record);
    const broken = { member: member!.name, why: 'all fail', since: new Date(1_790_000_000_000) };
    expect(await bed.admin.groups.info(target)).toMatchObject({ paused: null, broken: [{ ...broken, error: 'no', hidden: false }] });
    const { impact, ...done } = await bed.admin.groups.resume(target, { actor });
    expect(done).toMatchObject({ result: { changed: true } });
    // The audit stream gets the impact, and no text of an error, which may quote a message.
    expect(impact.broken).toEqual([broken]);
    expect(await bed.admin.groups.info(target)).toMatchObject({ broken: [] });
  });
});

describe('a seek', () => {
  async function handledAll(count: number): Promise<number[]> {
    const handled: number[] = [];
    await bed.subscribe({ topic: Mail, group: 'g' }, async ({ number }: Mail) => void handled.push(number));
    await bed.application.publisher.publishMany(Mail, mails(count));
    await bed.drained({ topic: Mail, group: 'g' });
    return handled;
  }

  it('shows first what it would do, and does that when it is confirmed', async () => {
    const handled = await handledAll(10);
    const seek = (options: SeekGroupOptions): Promise<unknown> => bed.admin.groups.seek(target, options);
    expect(await seek({ actor, to: 'earliest', dryRun: true })).toMatchObject(
      { impact: { again: 10, skipped: 0, steps: [{ partition: 0, from: 10, to: 0 }] } },
    );
    expect(handled).toHaveLength(10);
    expect(await confirmed(seek, { actor, shift: -3 })).toMatchObject(
      { dryRun: false, result: { again: 3, steps: [{ from: 10, to: 7 }] } },
    );
    await bed.drained({ topic: Mail, group: 'g' });
    expect(handled.slice(10).sort()).toEqual([7, 8, 9]);
    expect(await confirmed(seek, { actor, to: { offset: 8 } })).toMatchObject({ result: { again: 2 } });
    await bed.drained({ topic: Mail, group: 'g' });
    expect(handled).toHaveLength(15);
  });

  it('is refused without a confirmation, with that of another seek, and when the group has moved on', async () => {
    const handled = await handledAll(10);
    await expect(bed.admin.groups.seek(target, { actor, to: 'earliest' })).rejects.toMatchObject(
      { code: 'CONFIRMATION_REQUIRED', impact: { again: 10 } },
    );
    const dry = await bed.admin.groups.seek(target, { actor, to: 'earliest', dryRun: true });
    const confirm = confirmationIn(dry);
    const stale = { code: 'CONFIRMATION_STALE' };
    await expect(bed.admin.groups.seek(target, { actor, to: { offset: 1 }, confirm })).rejects.toMatchObject(stale);
    await expect(bed.admin.groups.seek({ ...target, group: 'g' }, { actor, to: 'earliest', force: true, confirm })).rejects.toMatchObject(stale);
    await expect(bed.admin.groups.seek(target, { actor, to: 'earliest', confirm: 'x' })).rejects.toMatchObject(stale);
    await bed.application.publisher.publish(Mail, { number: 10 });
    await bed.drained({ topic: Mail, group: 'g' });
    await expect(bed.admin.groups.seek(target, { actor, to: 'earliest', confirm })).rejects.toMatchObject(
      { ...stale, impact: { again: 11 } },
    );
    expect(handled).toHaveLength(11);
  });

  it.each([
    ['neither a position nor a shift', {}],
    ['both', { to: 'earliest', shift: 1 }],
    ['a position that is none', { to: '-15m' }],
    ['a shift that is no whole number', { shift: 1.5 }],
    ['an explicit entry id', { to: '18446744073709551615-0' }],
    ['no actor', { to: 'earliest', actor: undefined }],
    ['an actor with a line break', { to: 'earliest', actor: 'a\nb' }],
    ['an actor that is a list', { to: 'earliest', actor: ['a'] }],
    ['a confirmation that is an object', { to: 'earliest', confirm: {} }],
  ])('with %s is refused', async (_, options) => {
    await bed.subscribe({ topic: Mail, group: 'g' }, async () => undefined);
    await expect(bed.admin.groups.seek(target, { actor, ...options } as never)).rejects.toMatchObject(
      { code: 'INVALID_OPTIONS' },
    );
  });
});

describe('the removal of a group', () => {
  it('needs a confirmation, which messages that are published since do not make stale', async () => {
    const subscription = await bed.subscribe({ topic: Mail, group: 'g' }, async () => Promise.reject(new Error('no')));
    await bed.application.publisher.publishMany(Mail, mails(4));
    await bed.drained({ topic: Mail, group: 'g' });
    await subscription.stop(500);
    const dry = await bed.admin.groups.remove(target, { actor, dryRun: true });
    expect(dry).toMatchObject({ impact: { group: 'g', deadLetters: 4, members: [] } });
    await bed.application.publisher.publish(Mail, { number: 9 });
    const confirm = confirmationIn(dry);
    expect(await bed.admin.groups.remove(target, { actor, confirm })).toMatchObject({ result: { lag: 1, deadLetters: 4 } });
    await expect(bed.admin.groups.info(target)).rejects.toMatchObject({ code: 'UNKNOWN_GROUP' });
    expect((await bed.admin.groups.list({ topic: 'shop.mails' })).items).toEqual([]);
  });

  it('does nothing while a member lives', async () => {
    await bed.subscribe({ topic: Mail, group: 'g' }, async () => undefined);
    await expect(confirmed((options) => bed.admin.groups.remove(target, options), { actor, within: '0ms' } as never)).rejects.toMatchObject({ code: 'GROUP_BUSY' });
    expect(await bed.admin.groups.info(target)).toMatchObject({ group: 'g', state: {} });
    const { items } = await bed.admin.audit.list();
    expect(items).toMatchObject(
      [{ phase: 'ended', action: 'groups.remove', outcome: { ok: false, code: 'GROUP_BUSY' } }, { phase: 'begun', actor: 'ann' }],
    );
  });
});
