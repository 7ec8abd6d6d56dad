import { describe, expect, it } from '@jest/globals';
import { defineTopic } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { AdminBed, confirmationIn } from './admin-bed.js';
import { Mail, mails, Order, orders } from './topics.js';

const bed = new AdminBed('topics');
const actor = 'ann';

describe('the list of topics', () => {
  it('comes in pages, with messages, groups, the worst lag and dead letters', async () => {
    const { publisher } = bed.application;
    await publisher.publishMany(Order, orders(30));
    await publisher.publishMany(Mail, mails(5));
    await bed.subscribe({ topic: Mail, group: 'good' }, async () => undefined);
    await bed.subscribe({ topic: Mail, group: 'bad' }, async () => Promise.reject(new Error('no')));
    await bed.drained({ topic: Mail, group: 'good' });
    await bed.drained({ topic: Mail, group: 'bad' });
    const first = await bed.admin.topics.list({ limit: 1 });
    expect(first).toMatchObject({ scanned: 1, complete: false, items: [{ name: 'shop.mails', partitions: 1, messages: 5, groups: 2, deadLetters: 5, worstLag: { messages: 0, seconds: 0 } }] });
    const next = await bed.admin.topics.list({ limit: 1, cursor: first.nextCursor! });
    expect(next).toMatchObject({ complete: true, nextCursor: null, items: [{ name: 'shop.orders', partitions: 3, messages: 30, groups: 0, worstLag: null, deadLetters: 0 }] });
    expect((await bed.admin.topics.list({ prefix: 'shop.o' })).items.map(({ name }) => name)).toEqual(['shop.orders']);
    await expect(bed.admin.topics.list({ prefix: '*' })).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
    await expect(bed.admin.topics.list({ prefix: 'shop', cursor: first.nextCursor! })).rejects.toMatchObject(
      { code: 'INVALID_CURSOR' },
    );
  });

  it('has a topic whose entry in the index is damaged, with nothing known of it', async () => {
    await bed.application.streams.declare(defineTopic('a'));
    await bed.command('HSET', `${bed.prefix}:topics`, 'a', 'broken');
    expect((await bed.admin.topics.list()).items).toEqual(
      [expect.objectContaining({ name: 'a', partitions: null, messages: null })],
    );
    await expect(bed.admin.topics.info('a')).rejects.toMatchObject({ code: 'STATE_LOST' });
  });
});

describe('a topic', () => {
  it('tells the log of each partition, by offsets, ids and times', async () => {
    await bed.application.publisher.publishMany(Order, orders(30));
    const info = await bed.admin.topics.info('shop.orders');
    expect(info.partitions.map(({ partition }) => partition)).toEqual([0, 1, 2]);
    expect(info.partitions.reduce((sum, { messages }) => sum + messages, 0)).toBe(30);
    const filled = info.partitions.find(({ messages }) => messages > 0)!;
    expect(filled).toMatchObject({ firstOffset: 0, nextOffset: filled.messages });
    expect(filled.lastAt!.getTime()).toBe(Number(filled.lastId!.split('-')[0]));
    expect(info).toMatchObject({ messages: 30, delayed: 0, oldestAt: expect.any(Date), newestAt: expect.any(Date) });
    await expect(bed.admin.topics.info('shop.order')).rejects.toMatchObject(
      { code: 'UNKNOWN_TOPIC', message: expect.stringContaining("did you mean 'shop.orders'") },
    );
    await expect(bed.admin.topics.info({} as never)).rejects.toMatchObject({ code: 'INVALID_NAME' });
  });

  it('is created by its name, and not with another number of partitions', async () => {
    expect(await bed.admin.topics.create({ topic: 'new' }, { actor, partitions: 4, dryRun: true })).toEqual(
      { dryRun: true, impact: { before: null, partitions: 4 }, confirmation: null },
    );
    expect((await bed.admin.topics.list()).items).toEqual([]);
    expect(await bed.admin.topics.create({ topic: 'new' }, { actor, partitions: 4 })).toMatchObject(
      { dryRun: false, audited: true },
    );
    expect(await bed.admin.topics.info('new')).toMatchObject({ messages: 0, partitions: [{}, {}, {}, {}] });
    await expect(bed.admin.topics.create({ topic: 'new' }, { actor, partitions: 2 })).rejects.toMatchObject(
      { code: 'TOPIC_MISMATCH' },
    );
    await expect(bed.admin.topics.create({ topic: 'x:y' }, { actor })).rejects.toMatchObject({ code: 'INVALID_NAME' });
    await expect(bed.admin.topics.create({ topic: 'x' }, { actor, partitions: 257 })).rejects.toMatchObject(
      { code: 'INVALID_OPTIONS' },
    );
  });
});

describe('a raise of the partitions', () => {
  const topic = { topic: 'shop.mails' };

  it('is done as its dry run showed it, with its groups, and written down', async () => {
    await bed.subscribe({ topic: Mail, group: 'g' }, async () => undefined);
    await bed.admin.groups.pause({ topic: 'shop.mails', group: 'g' }, { actor });
    await bed.application.publisher.publishMany(Mail, mails(3));
    const dry = await bed.admin.topics.raisePartitions(topic, { actor, partitions: 4, dryRun: true });
    expect(dry).toMatchObject({ dryRun: true, impact: { from: 1, to: 4, changed: true, groups: [{ group: 'g', lag: 3, parked: 0 }] } });
    expect(await bed.admin.topics.info('shop.mails')).toMatchObject({ partitions: [{}] });
    await expect(bed.admin.topics.raisePartitions(topic, { actor, partitions: 4 })).rejects.toMatchObject(
      { code: 'CONFIRMATION_REQUIRED', impact: { to: 4 } },
    );
    const confirm = confirmationIn(dry);
    await expect(bed.admin.topics.raisePartitions(topic, { actor, partitions: 8, confirm })).rejects.toMatchObject(
      { code: 'CONFIRMATION_STALE' },
    );
    await bed.application.publisher.publish(Mail, { number: 4 });
    expect(await bed.admin.topics.raisePartitions(topic, { actor, partitions: 4, confirm })).toMatchObject(
      { dryRun: false, result: { from: 1, to: 4, changed: true, groups: ['g'] }, partial: false, audited: true },
    );
    expect((await bed.admin.topics.info('shop.mails')).partitions).toHaveLength(4);
    expect((await bed.admin.audit.list()).items).toContainEqual(
      expect.objectContaining({ actor, action: 'topics.raisePartitions', phase: 'ended', target: topic, terms: { partitions: 4 } }),
    );
    await expect(bed.admin.topics.raisePartitions(topic, { actor, partitions: 4, confirm })).rejects.toMatchObject(
      { code: 'CONFIRMATION_STALE', impact: { changed: false } },
    );
  });

  it('changes nothing where the topic has the number already, and never lowers it', async () => {
    await bed.admin.topics.create(topic, { actor, partitions: 4 });
    const same = await bed.admin.topics.raisePartitions(topic, { actor, partitions: 4, dryRun: true });
    const confirm = confirmationIn(same);
    expect(await bed.admin.topics.raisePartitions(topic, { actor, partitions: 4, confirm })).toMatchObject(
      { impact: { changed: false }, result: { to: 4, changed: false } },
    );
    await expect(bed.admin.topics.raisePartitions(topic, { actor, partitions: 2, dryRun: true })).rejects.toMatchObject(
      { code: 'INVALID_OPTIONS', message: expect.stringContaining('only grows') },
    );
    expect((await bed.admin.topics.info('shop.mails')).partitions).toHaveLength(4);
  });

  it.each([[1], [257], [2.5], ['4'], [undefined]])('to %j is refused', async (partitions) => {
    await bed.admin.topics.create(topic, { actor });
    const asked = { actor, partitions, dryRun: true } as never;
    await expect(bed.admin.topics.raisePartitions(topic, asked)).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
  });

  it('is refused for a topic that is not there', async () => {
    await expect(bed.admin.topics.raisePartitions({ topic: 'none' }, { actor, partitions: 2, dryRun: true })).rejects.toMatchObject(
      { code: 'UNKNOWN_TOPIC' },
    );
  });
});

describe('a purge', () => {
  const topic = { topic: 'shop.mails' };

  it('removes what was there at its dry run, and leaves what was published since', async () => {
    await bed.application.publisher.publishMany(Mail, mails(20));
    const dry = await bed.admin.topics.purge(topic, { actor, dryRun: true });
    expect(dry).toMatchObject({ dryRun: true, impact: { messages: 20, groups: [] } });
    const { impact } = dry;
    // By Redis's clock, behind the moment up to which the purge reaches.
    const isLater = async (): Promise<boolean> => {
      const [seconds] = (await bed.command('TIME')) as [string];
      return Number(seconds) * 1_000 > impact.before.getTime();
    };
    await waitFor(isLater, { what: 'the next second' });
    await bed.application.publisher.publish(Mail, { number: 100 });
    const confirm = confirmationIn(dry);
    expect(await bed.admin.topics.purge(topic, { actor, confirm })).toMatchObject(
      { dryRun: false, result: { messages: 20, heldBy: [] }, partial: false },
    );
    expect((await bed.admin.messages.browse(topic)).items).toMatchObject([{ payload: { number: 100 } }]);
  });

  it('keeps what a group has not settled, unless it says so: then the group has lost it, counted', async () => {
    await bed.subscribe({ topic: Mail, group: 'g' }, async () => undefined);
    await bed.admin.groups.pause({ topic: 'shop.mails', group: 'g' }, { actor });
    await bed.application.publisher.publishMany(Mail, mails(20));
    const dry = await bed.admin.topics.purge(topic, { actor, dryRun: true });
    expect(dry).toMatchObject({ impact: { messages: 20, groups: [{ group: 'g', lag: 20 }] } });
    const confirm = confirmationIn(dry);
    expect(await bed.admin.topics.purge(topic, { actor, confirm })).toMatchObject({ result: { messages: 0, heldBy: ['g'] }, partial: true });
    await expect(bed.admin.topics.purge(topic, { actor, confirm, unsettled: true })).rejects.toMatchObject(
      { code: 'CONFIRMATION_STALE' },
    );
    const forced = await bed.admin.topics.purge(topic, { actor, dryRun: true, unsettled: true });
    const sure = confirmationIn(forced);
    expect(await bed.admin.topics.purge(topic, { actor, confirm: sure, unsettled: true })).toMatchObject(
      { result: { messages: 20, heldBy: [] } },
    );
    expect(await bed.admin.groups.info({ topic: 'shop.mails', group: 'g' })).toMatchObject({ state: { lag: 0, dropped: 20 } });
  });
});

describe('a deletion', () => {
  it('needs the confirmation of the state that it saw', async () => {
    await bed.application.publisher.publishMany(Mail, mails(3));
    const topic = { topic: 'shop.mails' };
    await expect(bed.admin.topics.delete(topic, { actor })).rejects.toMatchObject(
      { code: 'CONFIRMATION_REQUIRED', impact: { messages: 3 } },
    );
    const dry = await bed.admin.topics.delete(topic, { actor, dryRun: true });
    const confirm = confirmationIn(dry);
    await bed.application.publisher.publish(Mail, { number: 4 });
    await expect(bed.admin.topics.delete(topic, { actor, confirm })).rejects.toMatchObject(
      { code: 'CONFIRMATION_STALE', impact: { messages: 4 } },
    );
    const again = await bed.admin.topics.delete(topic, { actor, dryRun: true });
    const done = await bed.admin.topics.delete(topic, { actor, confirm: confirmationIn(again) });
    expect(done).toMatchObject({ result: { messages: 4 } });
    await expect(bed.admin.topics.info('shop.mails')).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC' });
  });
});

describe('the overview', () => {
  it('tells the version of Redis, its policy of eviction, its file and its memory, and what is to be mended', async () => {
    await bed.application.publisher.publishMany(Mail, mails(7));
    await bed.subscribe({ topic: Mail, group: 'g' }, async () => undefined);
    await bed.drained({ topic: Mail, group: 'g' });
    const { redis, topics, sums, worstLags } = await bed.admin.overview();
    expect(topics).toBe(1);
    expect(sums).toEqual({ topics: 1, complete: true, messages: 7, delayed: 0, groups: 1, deadLetters: 0 });
    expect(worstLags).toEqual([]);
    await bed.admin.groups.pause({ topic: 'shop.mails', group: 'g' }, { actor });
    await bed.application.publisher.publishMany(Mail, mails(2));
    const behind = { topic: 'shop.mails', group: 'g', messages: 2, seconds: expect.any(Number) };
    expect((await bed.admin.overview()).worstLags).toEqual([behind]);
    expect(redis).toMatchObject(
      { evictionPolicy: 'noeviction', maxBytes: null, usedBytes: expect.any(Number), appendOnly: expect.any(Boolean) },
    );
    await bed.command('CONFIG', 'SET', 'maxmemory-policy', 'allkeys-lru');
    try {
      expect((await bed.admin.overview()).redis.concerns).toContainEqual(expect.stringContaining('allkeys-lru'));
    } finally {
      await bed.command('CONFIG', 'SET', 'maxmemory-policy', 'noeviction');
    }
  });
});
