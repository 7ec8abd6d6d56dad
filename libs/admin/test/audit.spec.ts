import { describe, expect, it } from '@jest/globals';
import { AUDIT_LENGTH, auditKey } from '@millrace/admin';
import { AdminBed, confirmationIn } from './admin-bed.js';
import { Mail, mails } from './topics.js';

const bed = new AdminBed('audit');
const target = { topic: 'shop.mails', group: 'g' };

describe('the audit stream', () => {
  it('has each action twice: when it begins, and when it has ended, with who, what, the state before and after', async () => {
    await bed.subscribe({ topic: Mail, group: 'g' }, async () => undefined);
    await bed.admin.groups.pause(target, { actor: 'ann', dryRun: true });
    expect((await bed.admin.audit.list()).items).toEqual([]);
    await bed.admin.groups.pause(target, { actor: 'ann' });
    await bed.admin.groups.resume(target, { actor: 'bob' });
    const { items, complete } = await bed.admin.audit.list();
    expect(complete).toBe(true);
    expect(items.map(({ action, phase, actor }) => [action, phase, actor])).toEqual([
      ['groups.resume', 'ended', 'bob'], ['groups.resume', 'begun', 'bob'], ['groups.pause', 'ended', 'ann'], ['groups.pause', 'begun', 'ann'],
    ]);
    expect(items[2]).toMatchObject(
      { target, impact: { before: null }, outcome: { ok: true, partial: false, after: { busy: [] } }, at: expect.any(Date) },
    );
    expect(items[2]!.id).toBe(items[3]!.id);
    expect(items[0]).toMatchObject({ impact: { before: { by: 'ann' } } });
  });

  it('comes in pages, and passes over what others have written to it', async () => {
    await bed.subscribe({ topic: Mail, group: 'g' }, async () => undefined);
    await bed.admin.groups.pause(target, { actor: 'ann' });
    await bed.command('XADD', auditKey(bed.prefix), '*', 'e', '{"id":{}}');
    await bed.command('XADD', auditKey(bed.prefix), '*', 'x', 'y');
    const deep = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;
    await bed.command('XADD', auditKey(bed.prefix), '*', 'e', `{"id":"a","actor":"a","action":"a","phase":"begun","target":${deep}}`);
    const first = await bed.admin.audit.list({ limit: 4 });
    const second = await bed.admin.audit.list({ limit: 3, cursor: first.nextCursor! });
    expect([first.items.length, first.scanned, second.items.length, second.complete]).toEqual([1, 4, 1, true]);
    await expect(bed.admin.audit.list({ cursor: 'x' })).rejects.toMatchObject({ code: 'INVALID_CURSOR' });
  });

  it('refuses an action that it cannot have: nothing is done', async () => {
    await bed.subscribe({ topic: Mail, group: 'g' }, async () => undefined);
    await bed.command('SET', auditKey(bed.prefix), 'no stream');
    await expect(bed.admin.groups.pause(target, { actor: 'ann' })).rejects.toMatchObject({ code: 'AUDIT_FAILED' });
    expect((await bed.admin.groups.info(target)).paused).toBeNull();
    await bed.command('DEL', auditKey(bed.prefix));
    expect(await bed.admin.groups.pause(target, { actor: 'ann' })).toMatchObject({ audited: true });
  });

  it('is of a bounded length, and without secrets of hostile texts', async () => {
    await bed.subscribe({ topic: Mail, group: 'g' }, async () => undefined);
    await bed.command('EVAL', `for i = 1, ${AUDIT_LENGTH} do redis.call('XADD', KEYS[1], '*', 'e', '{}') end`, 1, auditKey(bed.prefix));
    await bed.admin.groups.pause(target, { actor: "<img src=x onerror=alert(1)> redis.call('FLUSHALL')" });
    expect(await bed.command('XLEN', auditKey(bed.prefix))).toBe(AUDIT_LENGTH);
    expect((await bed.admin.audit.list({ limit: 1 })).items).toMatchObject(
      [{ actor: "<img src=x onerror=alert(1)> redis.call('FLUSHALL')" }],
    );
  });

  it('takes actions that free memory while Redis is full', async () => {
    await bed.application.publisher.publishMany(Mail, mails(10));
    const confirm = confirmationIn(await bed.admin.topics.purge({ topic: 'shop.mails' }, { actor: 'ann', dryRun: true }));
    await bed.command('CONFIG', 'SET', 'maxmemory', 1);
    try {
      expect(await bed.admin.topics.purge({ topic: 'shop.mails' }, { actor: 'ann', confirm })).toMatchObject(
        { result: { messages: 10 }, audited: true },
      );
    } finally {
      await bed.command('CONFIG', 'SET', 'maxmemory', 0);
    }
    expect((await bed.admin.audit.list()).items).toHaveLength(2);
  });
});
