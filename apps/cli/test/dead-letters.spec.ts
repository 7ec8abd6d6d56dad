import { describe, expect, it } from '@jest/globals';
import { CliBed, rowsOf } from './cli-bed.js';
import { Mail, mails } from './topics.js';

const bed = new CliBed('letters');

async function givenUp(count: number, message = 'the printer is on fire'): Promise<void> {
  await bed.publisher.publishMany(Mail, mails(count));
  await bed.giveUp(Mail, 'billing', new Error(message));
}

async function letters(): Promise<{ id: string; fingerprint: string; payload: Mail }[]> {
  return (await bed.json(['dlq', 'show', 'shop.mails', 'billing']))['items'] as { id: string; fingerprint: string; payload: Mail }[];
}

describe('millrace dlq', () => {
  it('lists groups with dead letters, their errors, and each of them', async () => {
    await givenUp(3);
    expect(rowsOf((await bed.run(['dlq', 'ls'])).stdout)).toEqual([{ 'TOPIC': 'shop.mails', 'GROUP': 'billing', 'DEAD LETTERS': '3' }]);
    const [kind] = rowsOf((await bed.run(['dlq', 'errors', 'shop.mails', 'billing'])).stdout);
    expect(kind).toMatchObject({ COUNT: '3', ERROR: 'Error: the printer is on fire' });
    const [first] = await letters();
    expect(first).toMatchObject({ fingerprint: kind!['FINGERPRINT'], payload: { number: 0 } });
    const shown = (await bed.run(['dlq', 'show', 'shop.mails', 'billing', first!.id])).stdout;
    expect(shown).toMatch(/^stack\n {2}Error: the printer is on fire\n {6}at .*\n(?: {6}at .*\n)+headers /m);
    expect((await bed.run(['dlq', 'show', 'shop.mails', 'billing', '0:1-1'])).code).toBe(3);
  });

  it('puts one dead letter back, those of an error, and all', async () => {
    await givenUp(3);
    const [first] = await letters();
    expect(await bed.json(['dlq', 'redrive', 'shop.mails', 'billing', '--id', first!.id, '--execute'])).toMatchObject({ result: { redriven: 1 } });
    await bed.giveUp(Mail, 'billing', new RangeError('another fault'));
    const { fingerprint } = (await letters()).at(-1)!;
    const byError = await bed.run(['dlq', 'redrive', 'shop.mails', 'billing', '--error', fingerprint, '--execute', '--yes']);
    expect(byError).toMatchObject({ code: 0, stdout: 'redriven  1\n' });
    expect(await bed.json(['dlq', 'redrive', 'shop.mails', 'billing', '--all', '--rate', '100/s', '--execute', '--yes'])).toMatchObject({ result: { redriven: 2 } });
    expect(await letters()).toEqual([]);
  });

  it('ends with code 6 when a dead letter is not there any more', async () => {
    await givenUp(1);
    const [letter] = await letters();
    const { code, stderr } = await bed.run(['dlq', 'redrive', 'shop.mails', 'billing', '--id', letter!.id, '0:1-1', '--execute']);
    expect([code, stderr]).toEqual([6, expect.stringContaining('1 dead letters were not there any more')]);
  });

  it('removes dead letters for good, and prints them before as lines of JSON', async () => {
    await givenUp(600);
    const exported = (await bed.run(['dlq', 'export', 'shop.mails', 'billing'])).stdout.trim().split('\n');
    const numbers = exported.map((line) => (JSON.parse(line) as { payload: Mail }).payload.number);
    expect(numbers).toEqual(Array.from({ length: 600 }, (_, number) => number));
    expect((await bed.run(['dlq', 'discard', 'shop.mails', 'billing', '--all'])).stdout).toMatch(/^dead letters {2}600\n/);
    expect(await bed.json(['dlq', 'discard', 'shop.mails', 'billing', '--all', '--execute', '--yes'])).toMatchObject({ result: { discarded: 600 } });
    expect(await letters()).toEqual([]);
  });

  it('asks which dead letters are meant', async () => {
    const { code, stderr } = await bed.run(['dlq', 'discard', 'shop.mails', 'billing', '--all', '--error', '4f1d2c3b4a596877']);
    expect([code, stderr]).toEqual([2, expect.stringContaining('--id, --error or --all, and one of them alone')]);
  });
});
