import { describe, expect, it } from '@jest/globals';
import type { Target } from '@millrace/admin';
import { TypeScriptChild } from '@millrace/testing';
import { AdminBed, confirmationIn } from './admin-bed.js';
import { CutProxy } from './cut-proxy.js';
import { JobsBed, Mail } from './jobs-bed.js';
import { Mail as MailEvent } from './topics.js';

const bed = new AdminBed('crash');
const queues = new JobsBed(bed);
const OPERATOR = new URL('./fixtures/operator.ts', import.meta.url);
const ANN = { actor: 'ann' };
const MAILS = { queue: 'mails' };

interface Action {
  readonly operation: string;
  readonly target: Target;
  readonly options: object;
}

/** Kills the process of an operator right before it sends this to Redis, and nothing of it gets there; its action was begun. */
async function kill(action: Action, before: string): Promise<void> {
  const proxy = await CutProxy.start(bed.server.url, { after: '"phase":"begun"', before });
  const child = new TypeScriptChild(OPERATOR, { args: [proxy.url, bed.prefix, JSON.stringify(action)] });
  const answered = child.line().then((line) => Promise.reject(new Error(`It was done: ${line}`)));
  try {
    await Promise.race([proxy.cut, answered]);
  } finally {
    await child.kill();
    await proxy.stop();
  }
}

/** The phases of all actions in the audit stream, the oldest first. */
async function phases(): Promise<string[]> {
  return (await bed.admin.audit.list()).items.map(({ phase }) => phase).reverse();
}

async function counts(): Promise<unknown> {
  return (await queues.admin.info('mails')).counts;
}

async function published(): Promise<unknown[]> {
  return (await bed.admin.messages.browse({ topic: 'shop.mails' })).items.map(({ payload }) => payload);
}

describe('an action whose process is killed in the middle', () => {
  it('has begun and not ended: a retry does the rest when it is asked for again, and no job twice', async () => {
    const ids = await queues.failed(60);
    await kill({ operation: 'jobs.retry', target: MAILS, options: { ...ANN, ids } }, `:mails:${ids[25]}`);
    expect([await phases(), await counts()]).toMatchObject([['begun'], { waiting: 25, failed: 35 }]);
    const again = await queues.admin.retry(MAILS, { ...ANN, ids });
    const items = ids.map((id, index) => ({ id, outcome: index < 25 ? 'elsewhere' : 'done' }));
    expect(again).toMatchObject({ partial: true, result: { done: 35, items, failure: null } });
    expect([await phases(), await counts()]).toMatchObject([['begun', 'begun', 'ended'], { waiting: 60, failed: 0 }]);
    const handled: number[] = [];
    await queues.work(Mail, async ({ number }: Mail) => handled.push(number));
    await queues.until('mails', 'completed', 60);
    expect(handled.sort((one, other) => one - other)).toEqual(ids.map((_, number) => number));
  });

  it('has begun and not ended: a drain needs a new confirmation for the rest, and for what came since', async () => {
    const ids = await queues.enqueue(Mail, 60);
    const confirm = confirmationIn(await queues.admin.drain(MAILS, { ...ANN, dryRun: true }));
    // The newest go first.
    await kill({ operation: 'jobs.drain', target: MAILS, options: { ...ANN, confirm } }, `:mails:${ids[34]}`);
    expect([await phases(), await counts()]).toMatchObject([['begun'], { waiting: 35 }]);
    await queues.enqueue(Mail, 1);
    await expect(queues.admin.drain(MAILS, { ...ANN, confirm })).rejects.toMatchObject({ code: 'CONFIRMATION_STALE' });
    expect(await counts()).toMatchObject({ waiting: 36 });
    const fresh = confirmationIn(await queues.admin.drain(MAILS, { ...ANN, dryRun: true }));
    const rest = await queues.admin.drain(MAILS, { ...ANN, confirm: fresh });
    expect(rest).toMatchObject({ partial: false, result: { removed: 36, left: 0 } });
    expect(await phases()).toEqual(['begun', 'begun', 'ended']);
  });

  it.each([
    ['before Redis has the message', '"number":4242', 1],
    ['behind that', '"phase":"ended"', 2],
  ])('has begun and not ended: killed %s, a republish stores the message once by its key', async (_, before, stored) => {
    const { partition, offset } = await bed.application.publisher.publish(MailEvent, { number: 1 });
    const target = { topic: 'shop.mails', partition: `${partition}`, offset: `${offset}` };
    const options = { ...ANN, payload: { number: 4242 }, idempotencyKey: 'once' };
    await kill({ operation: 'messages.republish', target, options }, before);
    expect([await phases(), await published()]).toEqual([['begun'], [{ number: 1 }, { number: 4242 }].slice(0, stored)]);
    const place = { partition, offset: offset! };
    const again = await bed.admin.messages.republish({ topic: 'shop.mails' }, { place, options });
    expect(again).toMatchObject({ audited: true, result: { duplicate: stored === 2 } });
    expect([await phases(), await published()]).toEqual([['begun', 'begun', 'ended'], [{ number: 1 }, { number: 4242 }]]);
  });
});
