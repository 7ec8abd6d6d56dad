import { describe, expect, it } from '@jest/globals';
import { isRunning, waitFor } from '@millrace/testing';
import { CliBed, rowsOf } from './cli-bed.js';
import { Mail, mails, Order } from './topics.js';

const bed = new CliBed('messages');

describe('millrace messages', () => {
  it('shows a message by its place and by its id', async () => {
    const { id } = await bed.publisher.publish(Mail, { number: 7, text: 'hello' }, { headers: { region: 'eu' } });
    const { stdout } = await bed.run(['messages', 'get', 'shop.mails', '0:0']);
    expect(stdout).toMatch(new RegExp(`^id +${id}\nplace +0:0\n`));
    expect(stdout).toContain('{"number":7,"text":"hello"}');
    expect(await bed.json(['messages', 'get', 'shop.mails', id])).toMatchObject({ apiVersion: 1, id, headers: { region: 'eu' } });
  });

  it('finds messages by key, header, text and parts, and says how much it has looked at', async () => {
    for (const total of [5, 50, 500]) await bed.publisher.publish(Order, { total, customer: `c-${total}` }, { headers: { total: `${total}` } });
    const found = async (...args: string[]): Promise<string[]> => {
      const { items } = (await bed.json(['messages', 'find', 'shop.orders', ...args])) as { items: { payload: Order }[] };
      return items.map(({ payload }) => `${payload.total}`).sort();
    };
    expect(await found('--key', 'c-50')).toEqual(['50']);
    expect(await found('--header', 'total=500')).toEqual(['500']);
    expect(await found('--text', '"total":5,')).toEqual(['5']);
    expect(await found('--where', 'payload.total>5', '--where', 'payload.customer != c-50')).toEqual(['500']);
    expect((await bed.run(['messages', 'find', 'shop.orders', '--key', 'none'])).stderr).toMatch(/^Looked at all 3 messages since /);
  });

  it('finds more messages than a page has', async () => {
    await bed.publisher.publishMany(Mail, mails(1_200));
    const { stdout } = await bed.run(['messages', 'find', 'shop.mails', '--where', 'payload.number>=100', '-n', '2000', '-q']);
    expect(stdout.trim().split('\n')).toHaveLength(1_100);
  });

  it('says that there may be more, when it stopped at the limit', async () => {
    await bed.publisher.publishMany(Mail, mails(5));
    const { code, stderr } = await bed.run(['messages', 'find', 'shop.mails', '--text', 'number', '-n', '2']);
    expect([code, stderr]).toEqual([0, expect.stringContaining('there may be more')]);
  });

  it('points at the fault of a condition', async () => {
    const { code, stderr } = await bed.run(['messages', 'find', 'shop.mails', '--where', 'payload.total 100']);
    expect([code, stderr]).toEqual([2, expect.stringContaining('At character 18, the end: there is no = != < <= > >= or contains')]);
    const equal = await bed.run(['messages', 'find', 'shop.mails', '--where', 'payload.number == 3']);
    expect(equal).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining('before == 3: the operators are = != < <= > >= and contains') as unknown });
  });

  it('follows a trace through all topics', async () => {
    const traceparent = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';
    await bed.publisher.publish(Mail, { number: 1 }, { headers: { traceparent } });
    await bed.publisher.publish(Order, { total: 1 }, { headers: { traceparent } });
    await bed.publisher.publish(Mail, { number: 2 });
    const { stdout } = await bed.run(['messages', 'trace', '4bf92f3577b34da6a3ce929d0e0e4736']);
    expect(rowsOf(stdout).map(({ TOPIC }) => TOPIC)).toEqual(['shop.mails', 'shop.orders']);
  });

  it('shows with each message of a trace its state in each group', async () => {
    const { id } = await bed.publisher.publish(Mail, { number: 1 });
    await bed.subscribe(Mail, 'billing', async () => undefined);
    await bed.giveUp(Mail, 'ledger', new Error('no such account'));
    await bed.idle(Mail, 'billing');
    const { stdout } = await bed.run(['messages', 'trace', id]);
    expect(rowsOf(stdout).map(({ GROUPS }) => GROUPS)).toEqual(['billing settled, ledger dead-lettered']);
  });
});

describe('millrace tail', () => {
  it('prints messages as they come, from several topics, until Ctrl-C, which gives 130 and leaves no process', async () => {
    await bed.publisher.publish(Order, { total: 1 });
    await bed.publisher.publish(Mail, { number: 0 });
    const following = bed.start(['tail', 'shop.mails', 'shop.orders', '--jsonl', '-n', '1']);
    expect([await following.line(), await following.line()].map((line) => (JSON.parse(line) as { topic: string }).topic)).toEqual(['shop.orders', 'shop.mails']);
    await bed.publisher.publish(Mail, { number: 1 });
    expect(JSON.parse(await following.line())).toMatchObject({ topic: 'shop.mails', payload: { number: 1 } });
    await bed.publisher.publish(Order, { total: 2 });
    expect(JSON.parse(await following.line())).toMatchObject({ topic: 'shop.orders', payload: { total: 2 } });
    following.process.kill('SIGINT');
    expect(await following.ended).toEqual({ code: 130, signal: null });
    await waitFor(async () => !(await isRunning(following.process.pid!)), { what: 'the process to be gone' });
  });

  it('begins where it is told to, and prints each message once', async () => {
    await bed.publisher.publishMany(Mail, mails(700));
    const all = await bed.run(['tail', 'shop.mails', '--from', 'start', '--max', '700', '--jsonl']);
    const numbers = all.stdout.trim().split('\n').map((line) => (JSON.parse(line) as { payload: Mail }).payload.number);
    expect(numbers).toEqual(Array.from({ length: 700 }, (_, number) => number));
    const last = await bed.run(['tail', 'shop.mails', '-n', '2', '--for', '0ms', '--jsonl']);
    expect(last.stdout.trim().split('\n')).toHaveLength(2);
    expect((await bed.run(['tail', 'shop.mails', '--from', '-5m', '--where', 'payload.number<3', '--for', '0ms', '-q'])).stdout.trim().split('\n')).toHaveLength(3);
  });

  it('gives the messages of all partitions and topics in the order in which they were stored', async () => {
    for (let round = 0; round < 6; round += 1) {
      await bed.publisher.publishMany(Order, Array.from({ length: 250 }, (_, total) => ({ payload: { total, customer: `c-${total}` } })));
      await bed.publisher.publishMany(Mail, mails(150));
    }
    const { stdout } = await bed.run(['tail', 'shop.orders', 'shop.mails', '--from', 'start', '--max', '2400', '--jsonl']);
    const times = stdout.trim().split('\n').map((line) => (JSON.parse(line) as { storedAt: string }).storedAt);
    expect(times).toHaveLength(2_400);
    expect(times).toEqual([...times].sort());
  });

  it('reads no more than it prints, but for one page of each partition', async () => {
    await bed.publisher.publishMany(Mail, mails(5_000));
    await bed.command('CONFIG', 'RESETSTAT');
    expect((await bed.run(['tail', 'shop.mails', '--from', 'start', '--max', '1', '-q'])).stdout.trim().split('\n')).toHaveLength(1);
    const [, calls] = /cmdstat_xrange:calls=(\d+)/.exec(String(await bed.command('INFO', 'commandstats'))) ?? [];
    // All 5,000 take some 300.
    expect(Number(calls)).toBeLessThan(60);
  });
});
