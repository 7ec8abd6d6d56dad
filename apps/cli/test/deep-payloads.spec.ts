import { describe, expect, it } from '@jest/globals';
import { topicOf } from '@millrace/core';
import { CliBed, rowsOf } from './cli-bed.js';
import { MailQueue } from './mail-queue.js';
import { Mail } from './topics.js';

const bed = new CliBed('deep');
/** More levels than a recursive function can walk. */
const DEEP = `${'['.repeat(20_000)}${']'.repeat(20_000)}`;

/** A message that no publisher checked, behind another one. */
async function written(): Promise<void> {
  await bed.publisher.publish(Mail, { number: 0 });
  const message = { id: 'deep-1', key: null, idempotencyKey: null, headers: {}, expiresAt: null, type: null, schema: 1, payloadJson: DEEP };
  await bed.streams.publish(topicOf(Mail), message, {});
}

describe('content of 20,000 levels', () => {
  it.each([
    ['messages', 'find', 'shop.mails', '--text', 'null'], ['tail', 'shop.mails', '--from', 'start', '--for', '0ms'],
  ])('is printed with its problem and its text, with the others: %s %s', async (...args) => {
    await written();
    const rows = rowsOf((await bed.run(args)).stdout).sort((one, other) => (one['PLACE']! < other['PLACE']! ? -1 : 1));
    expect(rows).toMatchObject([
      { PLACE: '0:0', PROBLEM: '-', PAYLOAD: '{"number":0}' },
      { PLACE: '0:1', ID: 'deep-1', PROBLEM: 'INVALID_PAYLOAD', PAYLOAD: expect.stringMatching(/^\[1,"deep-1",null,null,null,\[{1000,}…$/) },
    ]);
    const lines = (await bed.run([...args, '--jsonl'])).stdout.trim().split('\n').map((line) => JSON.parse(line) as { problem: unknown });
    expect(lines.map(({ problem }) => problem).sort()).toEqual(['INVALID_PAYLOAD', null]);
  });

  it('is printed as a message, as a dead letter and as a job, each by its id', async () => {
    await written();
    await bed.giveUp(Mail, 'billing', new Error('on fire'));
    expect((await bed.run(['messages', 'get', 'shop.mails', '0:1'])).stdout).toMatch(/^problem +INVALID_PAYLOAD$/m);
    const { items } = (await bed.json(['dlq', 'show', 'shop.mails', 'billing'])) as { items: { id: string; problem: string | null }[] };
    const { id } = items.find(({ problem }) => problem === 'INVALID_PAYLOAD')!;
    const { stdout } = await bed.run(['dlq', 'show', 'shop.mails', 'billing', id]);
    expect(stdout).toMatch(/^problem +INVALID_PAYLOAD$/m);
    expect(stdout).toContain(DEEP);
    const queue = await MailQueue.open(bed);
    await queue.fill();
    await queue.close();
    await bed.command('HSET', `{${bed.prefix}}:mails:waiting-1`, 'data', DEEP);
    expect((await bed.run(['jobs', 'get', 'mails', 'waiting-1'])).stdout).toMatch(/^problem +INVALID_PAYLOAD\ndata +\[{64}"…"\]{64}$/m);
  });
});
