import { describe, expect, it } from '@jest/globals';
import { Topic, topicOf } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { IsInt } from 'class-validator';
import { topicsKey } from '../src/keys.js';
import { LogTrim } from '../src/retain/log-trim.js';
import { isRetained } from '../src/retain/retained-topic.js';
import { Bed } from './bed.js';
import { type Process, subscribe } from './fixture.js';
import { numbers, Single } from './topics.js';

type Value = { value: number };

@Topic<Bounded>('test.bounded', { retention: { maxMessages: 4, overflow: 'drop-oldest' } })
class Bounded {
  @IsInt() value!: number;
}

const bed = new Bed('damage');
const meta = (): string => bed.place(Single, 'g').keys.meta;

async function caughtUp(process: Process, handled: number[] = []): Promise<number[]> {
  await process.publisher.publishMany(Single, numbers(10));
  await subscribe(process, { topic: Single, group: 'g' }, async ({ value }: Value) => void handled.push(value));
  await bed.drained(process, Single, 'g');
  return handled;
}

describe.each(['-5', 'no number', '1e9', '300000000000000', '99999999999999999999'])('a next offset that reads %s', (next) => {
  it('is corrected by the next publish, and gives no lag below 0 until then', async () => {
    const process = await bed.start({ leaseMs: 60_000 });
    await caughtUp(process);
    await bed.command('HSET', meta(), 'next', next);
    expect((await bed.state(process, Single, 'g')).lag).toBe(0);
    expect(await process.publisher.publish(Single, { value: 10 }, { deadline: '2s' })).toMatchObject({ offset: 10 });
    await bed.drained(process, Single, 'g');
    expect(await bed.state(process, Single, 'g')).toMatchObject({ handled: 11, lost: 0 });
  });
});

describe('a next offset that is too high', () => {
  it('is corrected while a member is there, and nothing counts as lost', async () => {
    const process = await bed.start();
    await caughtUp(process);
    await bed.command('HSET', meta(), 'next', 1_000);
    await waitFor(async () => (await bed.state(process, Single, 'g')).lag === 0, { what: 'the lag to be right' });
    expect(await process.publisher.publish(Single, { value: 10 })).toMatchObject({ offset: 10 });
    await bed.drained(process, Single, 'g');
    expect(await bed.state(process, Single, 'g')).toMatchObject({ handled: 11, lost: 0 });
  });

  it('that messages were published from is reported as a loss, once, and all later messages are handled', async () => {
    const process = await bed.start();
    const handled = await caughtUp(process);
    await bed.command('HSET', meta(), 'next', 1_000, 'ms', 0);
    expect(await process.publisher.publish(Single, { value: 10 })).toMatchObject({ offset: 1_000 });
    await waitFor(async () => (await bed.state(process, Single, 'g')).lag === 0, { what: 'the lag to be right' });
    expect(await bed.state(process, Single, 'g')).toMatchObject({ handled: 11, lost: 990 });
    expect(handled).toHaveLength(11);
  });
});

describe.each(['-5', 'no number', '1000000'])('a trim with a next offset that reads %s', (next) => {
  it('corrects it, and counts all messages that a group loses', async () => {
    const process = await bed.start({ leaseMs: 60_000 });
    const topic = topicOf(Bounded);
    const sleeper = await subscribe(process, { topic: Bounded, group: 'g' }, async () => undefined);
    await sleeper.stop(1_000);
    for (const { payload } of numbers(4)) await process.publisher.publish(Bounded, payload);
    const { log, meta: bounded } = bed.place(Bounded, 'g').keys;
    await bed.command('HSET', bounded, 'next', next);
    const trim = isRetained(topic) && new LogTrim(process.redis, bed.prefix, topic);
    if (trim) await trim.trim({ partition: 0, wanted: 3, everyMs: 0 });
    expect(await bed.command('HGET', bounded, 'next')).toBe('4');
    const { dropped, lag } = await bed.state(process, Bounded, 'g');
    expect([dropped, lag, await bed.command('XLEN', log)]).toEqual([3, 1, 1]);
  });
});

describe('the hash of the groups', () => {
  it('is restored when only it is lost, while a member is there', async () => {
    const process = await bed.start();
    await process.publisher.publishMany(Single, numbers(10));
    await subscribe(process, { topic: Single, group: 'g', start: { offset: 6 } }, async () => undefined);
    await bed.drained(process, Single, 'g');
    const { groups } = bed.place(Single, 'g').keys;
    await bed.command('DEL', groups);
    await waitFor(async () => (await bed.command('HEXISTS', groups, 'g')) === 1, { what: 'it to be there again' });
    await process.publisher.publish(Single, { value: 10 });
    await bed.drained(process, Single, 'g');
    expect(await bed.state(process, Single, 'g')).toMatchObject({ lost: 0, handled: 5 });
  });
});

describe('a group that is lost while it is paused', () => {
  it('is made again, stays paused, and goes on where it was when it is resumed', async () => {
    const process = await bed.start();
    const handled: number[] = [];
    await caughtUp(process, handled);
    const { groups } = process.streams;
    const { keys: { log }, groupKeys: { again } } = bed.place(Single, 'g');
    await groups.pause(Single, 'g');
    await process.publisher.publishMany(Single, numbers(15).slice(10));
    for (const stream of [log, again]) await bed.command('XGROUP', 'DESTROY', stream, 'g');
    await waitFor(async () => ((await bed.command('XINFO', 'GROUPS', log)) as unknown[]).length === 1, { what: 'it to be made again' });
    expect(await groups.isPaused(Single, 'g')).toBe(true);
    expect(handled).toHaveLength(10);
    expect(await groups.pause(Single, 'g')).toEqual({ busy: [] });
    await groups.resume(Single, 'g');
    await bed.drained(process, Single, 'g');
    expect(handled.sort((a, b) => a - b)).toEqual(numbers(15).map(({ payload }) => payload.value));
    expect(await bed.state(process, Single, 'g')).toMatchObject({ handled: 15, lost: 0 });
  });
});

describe('a damaged mark of removal', () => {
  it('counts as none: the group starts, and can be removed with its topic', async () => {
    const process = await bed.start();
    const { removed } = bed.place(Single, 'g').keys;
    await bed.command('HSET', removed, '', 'damaged', 'g', 'damaged');
    await caughtUp(process);
    await process.streams.groups.remove(Single, 'g', { force: true });
    await process.streams.topics.remove(Single, { force: true });
    expect(await bed.command('EXISTS', meta())).toBe(0);
  });
});

describe('a damaged number of partitions', () => {
  it('does not keep the topic from being removed: the declared number counts', async () => {
    const process = await bed.start();
    await process.publisher.publishMany(Single, numbers(3));
    await bed.command('HSET', topicsKey(bed.prefix), 'test.single', 'damaged');
    expect(await process.streams.topics.remove(Single)).toMatchObject({ messages: 3 });
    expect([await bed.command('EXISTS', meta()), await bed.command('EXISTS', topicsKey(bed.prefix))]).toEqual([0, 0]);
  });
});
