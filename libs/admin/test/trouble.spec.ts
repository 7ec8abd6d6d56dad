import { afterEach, describe, expect, it } from '@jest/globals';
import { type Admin, createAdmin, type LettersRedriven } from '@millrace/admin';
import { MillraceError, Publisher, topicOf } from '@millrace/core';
import { connectRedis, type RedisConnectOptions, type Topology } from '@millrace/redis';
import { createStreams, type Streams } from '@millrace/streams';
import { SentinelSite, waitFor } from '@millrace/testing';
import { AdminBed, confirmationIn } from './admin-bed.js';
import { Mail, mails } from './topics.js';

const bed = new AdminBed('trouble');
const actor = 'ann';
const topic = { topic: 'shop.mails' };
const group = { topic: 'shop.mails', group: 'g' };
/** No call of an operator takes longer while Redis does not answer: each command of it waits 2 seconds at the most. */
const BOUND_MS = 15_000;

const closing: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

interface Operator {
  readonly redis: Topology;
  readonly streams: Streams;
  readonly admin: Admin;
}

async function operatorAt(target: RedisConnectOptions): Promise<Operator> {
  const redis = await connectRedis(target);
  const streams = createStreams({ redis, prefix: 'spec', leaseMs: 600 });
  closing.push(async () => {
    await streams.stop(500);
    redis.close();
  });
  return { redis, streams, admin: createAdmin({ redis, prefix: 'spec', streams }) };
}

/** The outcome of a call: what it returned, or the code of its error. */
async function outcomeOf(call: Promise<unknown>): Promise<unknown> {
  return call.then(() => 'done', (error: unknown) => (error instanceof MillraceError ? `${error.code}${error.retryable ? ', retryable' : ''}` : error));
}

/** One call of each kind: a look, a list, a scan, a trace, a plan and an action. */
function callsOf(admin: Admin): Promise<unknown>[] {
  return [
    admin.overview(), admin.doctor(), admin.topics.list(), admin.topics.info('shop.mails'), admin.messages.browse(topic),
    admin.messages.browse(topic, { order: 'newest' }), admin.trace({ messageId: 'x' }), admin.groups.info(group),
    admin.deadLetters.browse(group), admin.topics.purge(topic, { actor, dryRun: true }), admin.groups.pause(group, { actor }),
    admin.audit.list(),
  ];
}

const AWAY = /^(?:REDIS_UNREACHABLE|REDIS_FAILED|AUDIT_FAILED|STATE_LOST), retryable$/;

/** Each call ends in time, with an error that says to try again. */
async function expectAway(admin: Admin): Promise<void> {
  const ended = Promise.all(callsOf(admin).map(outcomeOf));
  const late = new Promise<string[]>((resolve) => setTimeout(resolve, BOUND_MS, ['not ended']).unref());
  const outcomes = await Promise.race([ended, late]);
  expect(outcomes).toEqual(callNames.map(() => expect.stringMatching(AWAY)));
}

const callNames = Array.from({ length: 12 });

describe('while Redis stands still, an operator', () => {
  it('is told by each call to try again, within a bound, and gets answers once it goes on', async () => {
    await bed.application.publisher.publishMany(Mail, mails(3));
    await (await bed.subscribe({ topic: Mail, group: 'g' }, async () => undefined)).stop(1_000);
    bed.server.pause();
    try {
      await expectAway(bed.admin);
    } finally {
      bed.server.resume();
    }
    await waitFor(async () => (await outcomeOf(bed.admin.topics.info('shop.mails'))) === 'done', { what: 'answers', timeoutMs: 20_000 });
    expect(await bed.admin.topics.info('shop.mails')).toMatchObject({ messages: 3 });
  }, 60_000);
});

describe('while Sentinels fail over, an operator', () => {
  it('is told to try again, and gets right answers from the new primary', async () => {
    const site = await SentinelSite.start();
    closing.push(() => site.stop());
    const { admin, streams } = await operatorAt(site.target);
    await new Publisher(streams).publishMany(Mail, mails(5));
    await site.all.whenOk();
    const primary = await site.all.whoIsPrimary();
    await primary.kill();
    const outcomes = new Set<unknown>();
    const isBack = async (): Promise<boolean> => {
      const outcome = await outcomeOf(admin.topics.info('shop.mails'));
      outcomes.add(outcome);
      return outcome === 'done';
    };
    await waitFor(isBack, { what: 'the new primary to answer', timeoutMs: 75_000 });
    outcomes.delete('done');
    expect([...outcomes].filter((outcome) => !AWAY.test(String(outcome)))).toEqual([]);
    expect(outcomes.size).toBeGreaterThan(0);
    expect(await admin.topics.info('shop.mails')).toMatchObject({ messages: 5 });
  }, 90_000);
});

describe('on a topic that is being deleted', () => {
  it('each call is answered rightly or refused, and revives nothing', async () => {
    for (let round = 0; round < 5; round += 1) {
      await bed.application.streams.declare(topicOf(Mail));
      await bed.application.publisher.publishMany(Mail, mails(50));
      await (await bed.subscribe({ topic: Mail, group: 'g' }, async () => undefined)).stop(1_000);
      const admin = await bed.operator();
      const confirm = confirmationIn(await bed.admin.topics.delete(topic, { actor, dryRun: true, force: true }));
      const removal = outcomeOf(bed.admin.topics.delete(topic, { actor, force: true, confirm }));
      const outcomes = await Promise.all(callsOf(admin).map(outcomeOf));
      // A key that goes between two commands of one call is a failure of Redis: the next call says that the topic is gone.
      const refused = /^(?:done|UNKNOWN_TOPIC|UNKNOWN_GROUP|STATE_LOST|REMOVED|REDIS_FAILED, retryable)/;
      expect(outcomes.filter((outcome) => !refused.test(String(outcome)))).toEqual([]);
      // A call that changes the state before the removal looks makes its confirmation stale.
      if ((await removal) !== 'done') {
        const again = confirmationIn(await bed.admin.topics.delete(topic, { actor, dryRun: true, force: true }));
        await bed.admin.topics.delete(topic, { actor, force: true, confirm: again });
      }
      await expect(bed.admin.topics.info('shop.mails')).rejects.toMatchObject({ code: 'UNKNOWN_TOPIC' });
      const keys = (await bed.command('KEYS', `${bed.prefix}:{shop.mails:*`)) as string[];
      expect(keys.filter((key) => !key.endsWith(':removed'))).toEqual([]);
    }
  }, 60_000);
});

describe('two operators at once', () => {
  it('redrive each dead letter once, and each is told which ones it was', async () => {
    const failing = await bed.subscribe({ topic: Mail, group: 'g' }, async () => Promise.reject(new Error('as planned')));
    await bed.application.publisher.publishMany(Mail, mails(60));
    await bed.drained({ topic: Mail, group: 'g' });
    await failing.stop(1_000);
    const ids = (await bed.admin.deadLetters.browse(group, { limit: 500 })).items.map(({ id }) => id);
    expect(ids).toHaveLength(60);
    const operators = [bed.admin, await bed.operator()];
    const done = await Promise.all(operators.map((admin) => admin.deadLetters.redrive(group, { actor, ids })));
    const results = done.map((one) => (one as unknown as { result: LettersRedriven }).result);
    expect(results.reduce((sum, { redriven }) => sum + redriven, 0)).toBe(60);
    for (const id of ids) {
      const outcomes = results.map(({ items }) => items.find((item) => item.id === id)!.outcome).sort();
      expect(outcomes).toEqual(['missing', 'redriven']);
    }
    for (const { redriven, items } of results) expect(items.filter(({ outcome }) => outcome === 'redriven')).toHaveLength(redriven);
    expect(await bed.admin.groups.info(group)).toMatchObject({ state: { lag: 60, redriven: 60, deadLetters: 0 } });
  });

  it('purge each message once, and their counts add up', async () => {
    await bed.application.publisher.publishMany(Mail, mails(2_000));
    const operators = [bed.admin, await bed.operator()];
    const dry = await bed.admin.topics.purge(topic, { actor, dryRun: true });
    const confirm = confirmationIn(dry);
    const done = await Promise.all(operators.map((admin) => outcomeAndCount(admin, confirm)));
    expect(done.filter(({ outcome }) => outcome !== 'done' && outcome !== 'CONFIRMATION_STALE')).toEqual([]);
    expect(done.reduce((sum, { messages }) => sum + messages, 0)).toBe(2_000);
    expect(await bed.admin.topics.info('shop.mails')).toMatchObject({ messages: 0 });
  });
});

async function outcomeAndCount(admin: Admin, confirm: string): Promise<{ outcome: unknown; messages: number }> {
  let messages = 0;
  const purge = async (): Promise<void> => {
    const done = await admin.topics.purge(topic, { actor, confirm });
    messages = (done as unknown as { result: { messages: number } }).result.messages;
  };
  return { outcome: await outcomeOf(purge()), messages };
}
