import { describe, expect, it } from '@jest/globals';
import type { Admin, View } from '@millrace/admin';
import { topicOf } from '@millrace/core';
import { AdminBed } from './admin-bed.js';
import { JobsBed, Mail as MailJob } from './jobs-bed.js';
import { Mail, mails } from './topics.js';

const bed = new AdminBed('deep');
const jobs = new JobsBed(bed);
const topic = { topic: 'shop.mails' };
const group = { ...topic, group: 'g' };
const SECRET = 'canary-4111';
const HIDING: readonly View[] = [{ payloads: false }, { redact: ['number'] }];

/** More levels than a recursive function can walk. */
function deep(inside = '1'): string {
  return `${'['.repeat(20_000)}${inside}${']'.repeat(20_000)}`;
}

/** A message that no publisher checked, behind two others. */
async function written(payloadJson = deep(`"${SECRET}"`)): Promise<void> {
  await bed.application.publisher.publishMany(Mail, mails(2));
  const message = { id: 'deep-1', key: 'k', idempotencyKey: 'i', headers: { a: SECRET }, expiresAt: null, type: null, schema: 1, payloadJson };
  await bed.application.streams.publish(topicOf(Mail), message, {});
}

/** As an answer of the server: it must be JSON. */
async function answerOf<T>(answer: Promise<T>): Promise<T> {
  return JSON.parse(JSON.stringify(await answer)) as T;
}

const SHOWN = {
  id: 'deep-1', offset: 2, key: 'k', headers: { a: SECRET }, payload: null, problem: 'INVALID_PAYLOAD',
  found: expect.stringMatching(/^\[1,"deep-1","k","i",\{"a":"canary-4111"\},\[{1000,}…$/),
};

describe('a message that nests 20,000 levels deep', () => {
  it('is shown with its problem and its text, in any order, by its id and its place, and the others with it', async () => {
    await written();
    const { messages } = bed.admin;
    const others = [{ payload: { number: 0 } }, { payload: { number: 1 } }];
    expect((await answerOf(messages.browse(topic))).items).toMatchObject([...others, SHOWN]);
    expect((await answerOf(messages.browse(topic, { order: 'newest' }))).items[0]).toMatchObject(SHOWN);
    expect((await answerOf(messages.find(topic, { id: 'deep-1', text: SECRET }))).items).toMatchObject([SHOWN]);
    expect(await answerOf(messages.get(topic, { partition: 0, offset: 2 }))).toMatchObject(SHOWN);
    const { items } = await answerOf(bed.admin.trace({ messageId: 'deep-1', since: new Date(0) }));
    expect(items).toMatchObject([{ topic: 'shop.mails', message: SHOWN }]);
  });

  it.each(HIDING)('is hidden as a whole where anything may be: %j', async (view) => {
    await written();
    const { items } = await answerOf(bed.admin.seenBy(view).messages.browse(topic));
    expect(items[2]).toMatchObject({ id: 'deep-1', key: null, idempotencyKey: null, headers: { a: null }, found: null, hidden: true });
    expect(JSON.stringify(items)).not.toContain(SECRET);
  });

  it('has a problem from the 65th level on', async () => {
    const levels = (count: number): string => `${'['.repeat(count)}${']'.repeat(count)}`;
    await written(levels(64));
    const message = { id: 'deep-2', key: 'k', idempotencyKey: null, headers: {}, expiresAt: null, type: null, schema: 1, payloadJson: levels(65) };
    await bed.application.streams.publish(topicOf(Mail), message, {});
    const { items } = await bed.admin.messages.browse(topic);
    expect(items.slice(2)).toMatchObject([{ id: 'deep-1', problem: null }, { id: 'deep-2', problem: 'INVALID_PAYLOAD' }]);
  });

  it('is not published again as it is', async () => {
    await written();
    const again = bed.admin.messages.republish(topic, { place: { partition: 0, offset: 2 }, options: { actor: 'ann', dryRun: true } });
    await expect(again).rejects.toMatchObject({ code: 'UNSERIALIZABLE_PAYLOAD' });
  });
});

describe('a dead letter that nests 20,000 levels deep', () => {
  async function givenUp(): Promise<void> {
    await written();
    const subscription = await bed.subscribe({ topic: Mail, group: 'g' }, () => Promise.resolve());
    await bed.drained({ topic: Mail, group: 'g' });
    await subscription.stop(500);
  }

  const GIVEN_UP = { messageId: 'deep-1', reason: 'INVALID_PAYLOAD', key: 'k', payload: null, problem: 'INVALID_PAYLOAD' };

  it('is shown with its problem, and its text as it was stored', async () => {
    await givenUp();
    const { items } = await answerOf(bed.admin.deadLetters.browse(group));
    expect(items).toMatchObject([{ ...GIVEN_UP, envelope: expect.stringContaining(deep(`"${SECRET}"`)) }]);
    expect(await answerOf(bed.admin.deadLetters.show(group, items[0]!.id))).toMatchObject(GIVEN_UP);
    expect((await answerOf(bed.admin.deadLetters.errors(group))).items).toMatchObject([{ reason: 'INVALID_PAYLOAD', count: 1 }]);
  });

  it.each(HIDING)('is hidden as a whole where anything may be: %j', async (view) => {
    await givenUp();
    const { items } = await answerOf(bed.admin.seenBy(view).deadLetters.browse(group));
    expect(items).toMatchObject([{ messageId: 'deep-1', key: null, envelope: null, hidden: true }]);
    expect(JSON.stringify(items)).not.toContain(SECRET);
  });

  it('is one that cannot be read when what nests is the error of another program', async () => {
    await givenUp();
    const dead = bed.key('shop.mails', 'group:g:dead');
    const [[, fields]] = (await bed.command('XRANGE', dead, '-', '+')) as [[string, string[]]];
    const error = fields[fields.indexOf('e') + 1]!;
    const nested = error.replace(/"error":\{/, `"error":{"response":${deep()},`);
    await bed.command('XADD', dead, '*', 'm', fields[fields.indexOf('m') + 1]!, 'e', nested);
    const { items } = await answerOf(bed.admin.deadLetters.browse(group));
    expect(items.map(({ reason }) => reason)).toEqual(['INVALID_PAYLOAD', 'UNREADABLE']);
  });
});

describe('a job that nests 20,000 levels deep', () => {
  async function enqueued(): Promise<string> {
    const [, id] = await jobs.enqueue(MailJob, 2);
    const object = `${'{"a":'.repeat(20_000)}"${SECRET}"${'}'.repeat(20_000)}`;
    const fields = ['data', object, 'returnvalue', deep(), 'progress', deep(), 'opts', `{"attempts":1,"own":${deep()}}`];
    await bed.command('HSET', `{${bed.prefix}}:mails:${id!}`, ...fields);
    return id!;
  }

  it('is shown with its problem, and with data, result, progress and options up to 64 levels', async () => {
    const id = await enqueued();
    const { items } = await answerOf(jobs.admin.browse({ queue: 'mails' }, { state: 'waiting' }));
    expect(items).toMatchObject([{ problem: null, data: { number: 0 } }, { id, problem: 'INVALID_PAYLOAD' }]);
    const shown = await answerOf(jobs.admin.get({ queue: 'mails', job: id }));
    const list = JSON.parse(`${'['.repeat(64)}"…"${']'.repeat(64)}`) as unknown;
    const data = JSON.parse(`${'{"a":'.repeat(64)}"…"${'}'.repeat(64)}`) as unknown;
    const options = { attempts: 1, own: (list as unknown[])[0] };
    expect(shown).toMatchObject({ id, problem: 'INVALID_PAYLOAD', data, result: list, progress: list, options, addedAt: expect.stringMatching(/Z$/) });
  });

  it.each(HIDING)('is hidden as a whole where anything may be: %j', async (view) => {
    const id = await enqueued();
    const hidden: Admin = jobs.operator.seenBy(view);
    expect(await answerOf(hidden.jobs!.get({ queue: 'mails', job: id }))).toMatchObject({ id, data: null, result: null, hidden: true });
  });
});
