import { describe, expect, it } from '@jest/globals';
import { topicOf } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { CliBed, rowsOf } from './cli-bed.js';
import { Mail, mails, Order } from './topics.js';

interface Lag {
  readonly state: { readonly lag: number };
}

const bed = new CliBed('groups');

/** A group that has handled some messages and stopped. */
async function handled(count: number, group = 'billing'): Promise<void> {
  await bed.publisher.publishMany(Mail, mails(count));
  const subscription = await bed.subscribe(Mail, group, () => Promise.resolve());
  await bed.idle(Mail, group);
  await subscription.stop(500);
}

describe('millrace groups', () => {
  it('lists groups of one topic and of all', async () => {
    await handled(2);
    await bed.publisher.publish(Order, { total: 1 });
    await (await bed.subscribe(Order, 'stock', () => Promise.resolve())).stop(500);
    expect(rowsOf((await bed.run(['groups', 'ls', 'shop.mails'])).stdout)).toMatchObject([{ GROUP: 'billing', STATUS: 'no members', MEMBERS: '0', LAG: '0' }]);
    expect((await bed.run(['groups', 'ls', '-q'])).stdout).toBe('shop.mails billing\nshop.orders stock\n');
  });

  it('shows a group with its partitions and members', async () => {
    await bed.publisher.publishMany(Mail, mails(2));
    const subscription = await bed.subscribe(Mail, 'billing', () => Promise.resolve());
    await bed.idle(Mail, 'billing');
    const { stdout } = await bed.run(['groups', 'info', 'shop.mails', 'billing']);
    expect(stdout).toMatch(/^handled +2$/m);
    expect(stdout).toMatch(/\nPartitions\nPARTITION .*\n +0 .*\n/);
    expect(stdout).toMatch(/\nMembers\nMEMBER .*\n.* present /);
    await subscription.stop(500);
  });

  it('calls a group running while it has a member, in every command, and says when it has none', async () => {
    await bed.publisher.publishMany(Mail, mails(1));
    const subscription = await bed.subscribe(Mail, 'billing', () => Promise.resolve());
    await bed.idle(Mail, 'billing');
    const statuses = async (): Promise<(string | undefined)[]> => {
      const rows = [['groups', 'ls'], ['groups', 'lag'], ['top', '--once']].map(async (line) => rowsOf((await bed.run(line)).stdout)[0]?.['STATUS']);
      const { stdout } = await bed.run(['groups', 'info', 'shop.mails', 'billing']);
      return [...(await Promise.all(rows)), /^status +(.+)$/m.exec(stdout)?.[1]];
    };
    expect(await statuses()).toEqual(['running', 'running', 'running', 'running']);
    await subscription.stop(500);
    expect(await statuses()).toEqual(['no members', 'no members', 'no members', 'no members']);
    await bed.command('XGROUP', 'CREATECONSUMER', `${bed.prefix}:{shop.mails:0}:log`, 'billing', 'other-7-0123456789ab.1');
    await bed.command('SET', `${bed.prefix}:{presence}:other-7-0123456789ab`, '1  1 1', 'PX', 86_400_000 - 20_000);
    expect(await statuses()).toEqual(['no members', 'no members', 'no members', 'no members']);
    await bed.command('SET', `${bed.prefix}:{presence}:other-7-0123456789ab`, '1  1 1', 'PX', 86_400_000);
    expect(new Set(await statuses())).toEqual(new Set(['running']));
    await bed.run(['groups', 'pause', 'shop.mails', 'billing', '--execute']);
    expect(await statuses()).toEqual(['paused', 'paused', 'paused', 'paused']);
  });

  it('lists the messages that members hold', async () => {
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => (open = resolve));
    const subscription = await bed.subscribe(Mail, 'billing', () => gate);
    const { id } = await bed.publisher.publish(Mail, { number: 1 });
    const isHeld = async (): Promise<boolean> => (await bed.run(['groups', 'pending', 'shop.mails', 'billing', '-q'])).stdout === '0:0\n';
    await waitFor(isHeld, { what: 'a message that is held' });
    const [row] = rowsOf((await bed.run(['groups', 'pending', 'shop.mails', 'billing'])).stdout);
    expect(row).toMatchObject({ MESSAGE: '0:0', ID: id, ATTEMPT: '1', CRASHES: '0', ENTRY: expect.stringMatching(/^log \d+-0$/) });
    open();
    await subscription.stop(5_000);
  });

  it('shows lag, the furthest behind first, and fails a check with code 7', async () => {
    await handled(1, 'one');
    await bed.publisher.publishMany(Mail, mails(5));
    await handled(0, 'two');
    const { code, stdout } = await bed.run(['groups', 'lag']);
    expect([code, rowsOf(stdout).map(({ GROUP, LAG }) => [GROUP, LAG])]).toEqual([0, [['one', '5'], ['two', '0']]]);
    expect((await bed.run(['groups', 'lag', 'shop.mails', 'one', '--max', '5'])).code).toBe(0);
    const failed = await bed.run(['groups', 'lag', 'shop.mails', '--max', '4']);
    expect(failed).toMatchObject({ code: 7, stderr: expect.stringContaining('one on shop.mails (5)') as unknown });
  });

  it('shows lag again and again while it is watched', async () => {
    await handled(1);
    const watching = bed.start(['groups', 'lag', '--watch', '50ms', '--jsonl']);
    expect(JSON.parse(await watching.line())).toMatchObject({ group: 'billing', state: { lag: 0 } });
    await bed.publisher.publishMany(Mail, mails(2));
    await waitFor(async () => (JSON.parse(await watching.line()) as Lag).state.lag === 2, { what: 'the lag of what was published' });
    watching.process.kill('SIGINT');
    expect(await watching.ended).toEqual({ code: 130, signal: null });
  });

  it('sets a group to another position after a preview', async () => {
    await handled(10);
    const preview = await bed.run(['groups', 'seek', 'shop.mails', 'billing', '--to', 'shift:-3']);
    expect(preview.code).toBe(4);
    expect(preview.stdout).toMatch(/^again {4}3\nskipped {2}0\n\nPartitions\n/);
    expect(preview.stderr).toContain('millrace groups seek shop.mails billing --to shift:-3 --execute');
    expect((await bed.streams.inspector.group(Mail, 'billing')).lag).toBe(0);
    await bed.json(['groups', 'seek', 'shop.mails', 'billing', '--to', 'shift:-3', '--execute', '--yes']);
    expect((await bed.streams.inspector.group(Mail, 'billing')).lag).toBe(3);
  });

  it.each([['earliest', 10], ['latest', 0], ['-15m', 10], ['4', 6], ['2020-01-01T00:00:00Z', 10]])('seeks to %s', async (to, lag) => {
    await handled(10);
    expect((await bed.run(['groups', 'seek', 'shop.mails', 'billing', '--to', to, '--execute', '--yes'])).code).toBe(0);
    expect((await bed.streams.inspector.group(Mail, 'billing')).lag).toBe(lag);
  });

  it('pauses and resumes a group, and names who paused it', async () => {
    await handled(1);
    expect((await bed.run(['groups', 'pause', 'shop.mails', 'billing'])).code).toBe(4);
    expect((await bed.run(['groups', 'pause', 'shop.mails', 'billing', '--execute', '--actor', 'ann'])).code).toBe(0);
    expect((await bed.run(['groups', 'info', 'shop.mails', 'billing'])).stdout).toMatch(/^paused by +ann$/m);
    expect(await bed.json(['groups', 'resume', 'shop.mails', 'billing', '--execute'])).toMatchObject({ result: { changed: true } });
  });

  it('shows before a resume which members a breaker holds, and what their faults may cost', async () => {
    await bed.subscribe(Mail, 'billing', async () => undefined);
    const [member] = await bed.streams.groups.members(topicOf(Mail), 'billing');
    const record = JSON.stringify({ sinceMs: 1_790_000_000_000, why: 'all fail', error: 'no' });
    await bed.command('HSET', `${bed.prefix}:{shop.mails:0}:group:billing:broken`, member!.name, record);
    const { code, stdout } = await bed.run(['groups', 'resume', 'shop.mails', 'billing']);
    expect(code).toBe(4);
    expect(stdout).toMatch(/a fault that is still there makes dead letters\nMEMBER +SINCE +WHY\n\S+ .* all fail$/m);
  });

  it('says with code 6 that members still hold messages of a group that it paused', async () => {
    await bed.publisher.publishMany(Mail, mails(1));
    let end = (): void => undefined;
    const [held, isEnd] = [{ begun: false }, new Promise<void>((resolve) => (end = resolve))];
    const subscription = await bed.subscribe(Mail, 'billing', async () => {
      held.begun = true;
      await isEnd;
    });
    await waitFor(() => held.begun, { what: 'the handler to begin' });
    const { code, stderr } = await bed.run(['groups', 'pause', 'shop.mails', 'billing', '--within', '0ms', '--execute']);
    end();
    await subscription.stop(500);
    expect([code, stderr]).toEqual([6, expect.stringContaining('still held messages')]);
  });

  it('refuses with code 4 to remove a group that has members, and removes it by force', async () => {
    await bed.publisher.publishMany(Mail, mails(1));
    const subscription = await bed.subscribe(Mail, 'billing', () => Promise.resolve());
    await bed.idle(Mail, 'billing');
    const refused = await bed.run(['groups', 'rm', 'shop.mails', 'billing', '--within', '0ms', '--execute', '--yes']);
    expect([refused.code, refused.stderr]).toEqual([4, expect.stringContaining('[GROUP_BUSY]')]);
    const [member] = (await bed.streams.groups.members(Mail, 'billing')).map(({ name }) => name);
    const waits = (within: string): string => `It waits up to ${within} for ${member} to leave or to be dead, and is refused after that. With --force it is done at once\\.\n`;
    expect(refused.stderr).toMatch(new RegExp(`^${waits('0ms')}`));
    expect(rowsOf((await bed.run(['audit', 'ls'])).stdout)[0]).toMatchObject({ OUTCOME: 'failed: GROUP_BUSY', 'IMPACT OR ERROR': expect.stringContaining(member!) as unknown });
    for (const line of [['groups', 'rm', 'shop.mails', 'billing'], ['topics', 'rm', 'shop.mails']]) {
      expect((await bed.run(line)).stderr).toMatch(new RegExp(`^${waits('30s')}error: Nothing was done.`));
      expect((await bed.run([...line, '--force'])).stderr).toMatch(/^error: Nothing was done./);
      expect(JSON.parse((await bed.run([...line, '--json'])).stderr)).toMatchObject({ error: { code: 'NEEDS_EXECUTE' } });
    }
    expect((await bed.run(['groups', 'rm', 'shop.mails', 'billing', '--force', '--execute', '--yes'])).code).toBe(0);
    await subscription.stop(500);
  });
});
