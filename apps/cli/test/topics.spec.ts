import { describe, expect, it } from '@jest/globals';
import { CliBed, rowsOf } from './cli-bed.js';
import { Mail, mails, Order } from './topics.js';

const bed = new CliBed('topics');

describe('millrace topics', () => {
  it('lists topics with their sums, as a table, as names and as JSON', async () => {
    await bed.publisher.publishMany(Mail, mails(1_234));
    await bed.publisher.publish(Order, { total: 1 });
    const { stdout, stderr } = await bed.run(['topics', 'ls']);
    expect(stderr).toBe('');
    expect(rowsOf(stdout).map(({ TOPIC, PARTITIONS, MESSAGES }) => [TOPIC, PARTITIONS, MESSAGES])).toEqual([
      ['shop.mails', '1', '1,234'], ['shop.orders', '3', '1'],
    ]);
    expect((await bed.run(['topics', 'ls', '--starting', 'shop.m', '-q'])).stdout).toBe('shop.mails\n');
    expect(rowsOf((await bed.run(['topics', 'ls', '--raw'])).stdout)[0]).toMatchObject({ MESSAGES: '1234' });
    expect(await bed.json(['topics', 'ls'])).toMatchObject({ apiVersion: 1, complete: true, items: [{ name: 'shop.mails' }, { name: 'shop.orders' }] });
  });

  it('aligns numbers to the right', async () => {
    await bed.publisher.publishMany(Mail, mails(100));
    await bed.publisher.publish(Order, { total: 1 });
    const [, first = '', second = ''] = (await bed.run(['topics', 'ls'])).stdout.split('\n');
    expect(first.indexOf(' 100 ') + 3).toBe(second.indexOf(' 1 ', 20) + 1);
  });

  it('goes on where a shorter list ended', async () => {
    for (const name of ['a', 'b', 'c']) await bed.run(['topics', 'create', name, '--execute']);
    const first = await bed.json(['topics', 'ls', '--limit', '2']);
    expect(first).toMatchObject({ complete: false, items: [{ name: 'a' }, { name: 'b' }] });
    const next = await bed.json(['topics', 'ls', '--cursor', String(first['nextCursor'])]);
    expect(next).toMatchObject({ complete: true, items: [{ name: 'c' }] });
    expect((await bed.run(['topics', 'ls', '-n', '2', '-q'])).stderr).toContain(`Go on with --cursor ${String(first['nextCursor'])}`);
  });

  it('shows a topic with its partitions', async () => {
    await bed.publisher.publish(Order, { total: 1 });
    const { stdout } = await bed.run(['topics', 'info', 'shop.orders']);
    expect(stdout).toMatch(/^topic +shop\.orders\nmessages +1\n/);
    expect(rowsOf(stdout.split('Partitions\n')[1]!)).toHaveLength(3);
  });

  it('makes, empties and removes a topic, and writes who did it into the audit stream', async () => {
    await bed.run(['topics', 'create', 'shop.mails', '--execute', '--actor', 'ann']);
    await bed.publisher.publishMany(Mail, mails(3));
    const purged = await bed.json(['topics', 'purge', 'shop.mails', '--execute', '--yes']);
    expect(purged).toMatchObject({ dryRun: false, impact: { messages: 3 }, result: { messages: 3 }, audited: true });
    const removed = await bed.run(['topics', 'rm', 'shop.mails', '--execute', '--yes']);
    expect(removed).toMatchObject({ code: 0, stdout: expect.stringContaining('messages') as unknown });
    expect((await bed.run(['topics', 'info', 'shop.mails'])).code).toBe(3);
    const rows = rowsOf((await bed.run(['audit', 'ls'])).stdout);
    expect(rows.map(({ ACTION, PHASE }) => `${ACTION ?? ''} ${PHASE ?? ''}`)).toEqual([
      'topics.delete ended', 'topics.delete begun', 'topics.purge ended', 'topics.purge begun', 'topics.create ended', 'topics.create begun',
    ]);
    expect(rows.at(-1)).toMatchObject({ ACTOR: 'ann', TARGET: 'shop.mails' });
  });

  it('is refused with another number of partitions than it has, at the preview, with the command that raises it', async () => {
    await bed.run(['topics', 'create', 'shop.mails', '--partitions', '3', '--execute']);
    for (const execute of [[], ['--execute']]) {
      expect(await bed.run(['topics', 'create', 'shop.mails', '--partitions', '5', ...execute])).toEqual({
        code: 4, stdout: '',
        stderr: 'error: There is a topic shop.mails already, with 3 partitions and not 5. Raise the number, which never goes back: millrace topics raise shop.mails --partitions 5 [TOPIC_MISMATCH]\n',
      });
    }
    expect((await bed.run(['topics', 'create', 'shop.mails', '--partitions', '2'])).stderr).toContain('say --partitions 3, or another name. [TOPIC_MISMATCH]');
    expect((await bed.run(['topics', 'create', 'shop.mails', '--partitions', '3', '--execute'])).code).toBe(0);
  });

  it('raises the number of partitions after a preview', async () => {
    await bed.run(['topics', 'create', 'shop.mails', '--execute']);
    await (await bed.subscribe(Mail, 'billing', () => Promise.resolve())).stop(500);
    const preview = await bed.run(['topics', 'raise', 'shop.mails', '--partitions', '4']);
    expect(preview.code).toBe(4);
    expect(preview.stdout).toMatch(/^from {5}1\nto {7}4\nchanges {2}yes\n\nGroups, .*\nGROUP .*\nbilling +0 +0\n$/);
    expect(preview.stderr).toContain('millrace topics raise shop.mails --partitions 4 --execute');
    expect((await bed.run(['topics', 'raise', 'shop.mails', '--partitions', '4', '--execute'])).code).toBe(4);
    const done = await bed.json(['topics', 'raise', 'shop.mails', '--partitions', '4', '--execute', '--yes']);
    expect(done).toMatchObject({ dryRun: false, result: { from: 1, to: 4, changed: true, groups: ['billing'] }, audited: true });
    expect(await bed.json(['topics', 'ls'])).toMatchObject({ items: [{ name: 'shop.mails', partitions: 4 }] });
    expect((await bed.run(['topics', 'raise', 'shop.mails', '--partitions', '2'])).code).toBe(2);
    expect((await bed.run(['topics', 'raise', 'shop.mails'])).code).toBe(2);
  });

  it('says that messages stay which a group has not handled, with code 6', async () => {
    await bed.publisher.publishMany(Mail, mails(2));
    const subscription = await bed.subscribe(Mail, 'billing', () => Promise.resolve());
    await bed.idle(Mail, 'billing');
    await subscription.stop(500);
    await bed.publisher.publishMany(Mail, mails(2));
    const { code, stdout, stderr } = await bed.run(['topics', 'purge', 'shop.mails', '--execute', '--yes']);
    expect([code, stdout]).toEqual([6, expect.stringMatching(/^removed {2}2\nheld by {2}billing\n$/)]);
    expect(stderr).toContain('billing has not handled');
  });
});
