import { describe, expect, it } from '@jest/globals';
import { deliveryPipeline, type DeliveryContext, fixed, isMillraceError, MOST_STEPS, Publisher, topicOf } from '@millrace/core';
import { memoKey } from '@millrace/ledger';
import { TypeScriptChild, waitFor } from '@millrace/testing';
import { PeerBed } from './peer-bed.js';
import { GROUP, type Handle, Paid, prepareSubscriber, SCOPE, startSubscriber, type Subscriber, type SubscriberOptions } from './subscriber.js';

const bed = new PeerBed('memo', 1_500);

async function subscriber(handle: Handle, tuning: Partial<SubscriberOptions> = {}): Promise<Subscriber> {
  const started = await startSubscriber({ ...bed.options, isPlain: true, ...tuning }, handle);
  bed.endWith(() => started.stop());
  return started;
}

async function publish(order: string): Promise<string> {
  const { streams, stop } = await prepareSubscriber(bed.options);
  bed.endWith(() => stop());
  return (await new Publisher(streams).publish(Paid, { order })).id;
}

const stored = async (id: string): Promise<Record<string, string>> => {
  const pairs = (await bed.command('HGETALL', memoKey(bed.prefix, SCOPE, id))) as string[];
  return Object.fromEntries(pairs.flatMap((name, at) => (at % 2 === 0 ? [[name, pairs[at + 1]!]] : [])));
};
const forgotten = (id: string): Promise<boolean> =>
  waitFor(async () => Object.keys(await stored(id)).length === 0, { what: 'the memo to be dropped' });
const count = async (what: string): Promise<number> => Number(await bed.command('GET', `${bed.prefix}:${what}`));

/** The outcome of work in the handler of one message. */
async function handled<T>(work: (context: DeliveryContext) => Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    void subscriber((_, context) => work(context).then(resolve, reject)).then(() => publish('a'));
  });
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  return work.then(() => 'nothing', (error: unknown) => (isMillraceError(error) ? error.code : String(error)));
}

describe('a step of a handler', () => {
  it('does not run again when its process is killed behind it, and its result is there', async () => {
    const args = [JSON.stringify({ ...bed.options, isPlain: true })];
    const child = new TypeScriptChild(new URL('./fixtures/subscriber.ts', import.meta.url), { args });
    bed.endWith(() => child.kill());
    expect(await child.line()).toBe('ready');
    const id = await publish('a');
    expect(await child.line()).toBe('begun a 1 1');
    await child.kill();
    expect(await stored(id)).toEqual({ count: '1' });
    const results: unknown[] = [];
    await subscriber(async ({ order }, context) => {
      results.push(await context.once('count', () => bed.command('INCR', `${bed.prefix}:effects:${order}`)));
      results.push(await context.once('note', () => bed.command('INCR', `${bed.prefix}:notes:${order}`)));
    });
    await forgotten(id);
    expect(results).toEqual([1, 1]);
    expect([await count('effects:a'), await count('notes:a')]).toEqual([1, 1]);
  });

  it('is skipped in the next attempt, with the result that it had; one that throws runs again', async () => {
    const ran: string[] = [];
    const results: unknown[] = [];
    const step = (name: string, value: unknown) => (): unknown => {
      ran.push(name);
      return value;
    };
    await subscriber(async (_, context) => {
      results.push(await context.once('object', step('object', { at: new Date(0), list: [1, null] })));
      results.push(await context.once('nothing', step('nothing', undefined)));
      results.push(await context.once('null', step('null', null)));
      await context.once('failing', () => {
        ran.push('failing');
        if (context.attempt < 3) throw new Error('as planned');
      });
    });
    const id = await publish('a');
    await waitFor(async () => ran.filter((name) => name === 'failing').length === 3, { what: 'three attempts' });
    await forgotten(id);
    expect(ran).toEqual(['object', 'nothing', 'null', 'failing', 'failing', 'failing']);
    const once = [{ at: '1970-01-01T00:00:00.000Z', list: [1, null] }, undefined, null];
    expect(results).toEqual([...once, ...once, ...once]);
  });

  it('runs once for calls at the same time, and is read with all others by one command', async () => {
    const runs: string[] = [];
    const step = (name: string) => async (): Promise<string> => {
      runs.push(name);
      await Promise.resolve();
      return name;
    };
    await bed.command('CONFIG', 'RESETSTAT');
    const results = await handled((context) =>
      Promise.all(['a', 'a', 'b', 'a', 'b'].map((name) => context.once(name, step(name)))));
    expect([results, runs.sort()]).toEqual([['a', 'a', 'b', 'a', 'b'], ['a', 'b']]);
    expect(/cmdstat_hgetall:calls=(\d+),/.exec(String(await bed.command('INFO', 'commandstats')))?.[1]).toBe('1');
  });

  it('has the result that was stored first', async () => {
    const result = await handled((context) => context.once('raced', async () => {
      await bed.command('HSET', memoKey(bed.prefix, SCOPE, context.messageId), 'raced', '"first"');
      return 'second';
    }));
    expect(result).toBe('first');
  });

  it.each([
    ['larger than 64 KiB', 'x'.repeat(65_535), 'MEMO_TOO_LARGE'],
    ['no JSON', 1n, 'UNSERIALIZABLE_PAYLOAD'],
    ['a function', () => 1, 'UNSERIALIZABLE_PAYLOAD'],
  ])('is not remembered when its result is %s, and says so', async (_, result, code) => {
    const seen = await handled(async (context) => {
      const first = await codeOf(context.once<unknown>('step', () => result));
      return { first, stored: await stored(context.messageId), again: await context.once('step', () => 'again') };
    });
    expect(seen).toEqual({ first: code, stored: {}, again: 'again' });
  });

  it('is not run when there are too many, or its name is none', async () => {
    const ran: string[] = [];
    const codes = await handled(async (context) => {
      for (let number = 0; number < MOST_STEPS; number += 1) await context.once(`step ${number}`, () => number);
      const more = codeOf(context.once('one more', () => void ran.push('one more')));
      const nameless = codeOf(context.once('', () => void ran.push('nameless')));
      return [await more, await nameless, await context.once('step 7', () => 'again')];
    });
    expect([codes, ran]).toEqual([['MEMO_FULL', 'INVALID_INPUT', 7], []]);
  });

  it('is not remembered when the message is this process’s no more, and throws', async () => {
    let tell: (id: string) => void = () => undefined;
    const begun = new Promise<string>((resolve) => (tell = resolve));
    let end = (): void => undefined;
    const ends = new Promise<void>((resolve) => (end = resolve));
    let said: Promise<string> = Promise.resolve('');
    const one = await subscriber((_, context) => {
      said = codeOf(context.once('step', () => {
        tell(context.messageId);
        return ends;
      }));
      return said;
    });
    await publish('a');
    const id = await begun;
    await one.streams.stop(0);
    end();
    expect([await said, await stored(id)]).toEqual(['CLOSED', {}]);
  });

  it('is kept of a dead letter, and skipped when that is redriven', async () => {
    const ran: string[] = [];
    let isIll = true;
    const one = await subscriber(async (_, context) => {
      await context.once('step', () => void ran.push('step'));
      if (isIll) throw new Error('as planned');
      ran.push('done');
    }, { attempts: 1 });
    const id = await publish('a');
    const letters = (): Promise<unknown[]> => one.streams.deadLetters.list(Paid, GROUP);
    await waitFor(async () => (await letters()).length === 1, { what: 'the dead letter' });
    isIll = false;
    await one.streams.deadLetters.redrive(Paid, GROUP, { all: true, to: 'topic' });
    await forgotten(id);
    expect(ran).toEqual(['step', 'done']);
  });

  it('is kept of a message that is put aside, and skipped when its key is released', async () => {
    const ran: string[] = [];
    let isIll = true;
    const one = await subscriber(async (_, context) => {
      await context.once('step', () => void ran.push('step'));
      if (isIll) throw new Error('as planned');
      ran.push('done');
    }, { attempts: 1, isOrdered: true, onExhausted: 'park' });
    await publish('a');
    const parked = (): Promise<unknown[]> => one.streams.orders.parked(Paid, GROUP);
    await waitFor(async () => (await parked()).length === 1, { what: 'the message to be put aside' });
    isIll = false;
    await one.streams.orders.release(Paid, GROUP, { key: 'a' });
    await waitFor(async () => ran.includes('done'), { what: 'the message to be handled' });
    expect(ran).toEqual(['step', 'done']);
  });

  it('cannot be taken in a broadcast, of which nothing is kept', async () => {
    const one = await prepareSubscriber(bed.options);
    bed.endWith(() => one.stop());
    const topic = topicOf(Paid);
    const retry = { attempts: 1, backoff: fixed('1ms'), deadLetterOn: [] };
    const code = new Promise<string>((resolve) => {
      const handle = (_: object, context: DeliveryContext): Promise<void> => codeOf(context.once('step', () => 1)).then(resolve);
      void one.streams.broadcast({ topic, concurrency: 1 }, deliveryPipeline({ topic, group: '~broadcast', retry, handle }))
        .then(() => publish('a'));
    });
    expect(await code).toBe('MEMO_NOT_CONFIGURED');
  });
});
