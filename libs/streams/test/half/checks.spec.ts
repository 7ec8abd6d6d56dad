import { describe, expect, it } from '@jest/globals';
import { type EventMap, type EventName, listen, topicOf } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { halfIndexKey, partitionKeys } from '../../src/keys.js';
import { Bed } from '../bed.js';
import { type Process, signal } from '../fixture.js';
import { Numbered, Single } from '../topics.js';
import { check } from './checked.js';

const bed = new Bed('half-checks');
/** The shortest time to the first check. */
const SOON = { checkAfter: '1s' } as const;

function eventsOf<Name extends EventName>(name: Name): { readonly events: EventMap[Name][]; readonly stop: () => void } {
  const events: EventMap[Name][] = [];
  return { events, stop: listen(name, (event) => events.push(event)) };
}

function keys(): ReturnType<typeof partitionKeys> {
  return partitionKeys(bed.prefix, 'test.single', 0);
}

function lengthOf(): Promise<number> {
  return bed.command('XLEN', keys().log).then(Number);
}

/** Half messages that nobody commits, as their publisher has died. */
async function leftBehind(values: readonly number[], options: object = SOON): Promise<string[]> {
  const publisher = await bed.start();
  const halves = [];
  for (const value of values) halves.push(await publisher.publisher.publishHalf(Single, { value }, options));
  publisher.vanish();
  return halves.map(({ id }) => id);
}

async function isEmpty(process: Process): Promise<void> {
  await waitFor(async () => (await process.streams.halves.state(Single)).stored === 0, { what: 'all half messages to end' });
}

/** Makes all half messages due at once. */
async function due(): Promise<void> {
  const ids = (await bed.command('ZRANGE', keys().halvesDue, 0, -1)) as string[];
  for (const id of ids) await bed.command('ZADD', keys().halvesDue, 1, id);
  await bed.command('HSET', halfIndexKey(bed.prefix, 'test.single'), '0', '1 1');
}

describe('a check', () => {
  it('decides about half messages that their publisher has left behind', async () => {
    await leftBehind([1, 2, 3, 4]);
    const process = await bed.start();
    await check(process, Single, ({ value }: Single) => (value % 2 === 0 ? 'commit' : 'rollback'));
    await isEmpty(process);
    const entries = (await bed.command('XRANGE', keys().log, '-', '+')) as [string, [string, string]][];
    const values = entries.map(([, [, text]]) => (JSON.parse(text) as { value: number }[][])[0]![5]!.value);
    expect(values.sort()).toEqual([2, 4]);
  });

  it('gets the payload as an instance of its class, and everything else about the message', async () => {
    const before = Date.now();
    const [id] = await leftBehind([7], { ...SOON, key: 'k', headers: { tenant: 'a' }, idempotencyKey: 'i' });
    const process = await bed.start();
    const seen: unknown[] = [];
    await check(process, Single, (payload: Single, context) => {
      seen.push(payload, context);
      return 'rollback';
    });
    await isEmpty(process);
    expect(seen[0]).toBeInstanceOf(Single);
    expect(seen[1]).toMatchObject({ messageId: id, key: 'k', idempotencyKey: 'i', headers: { tenant: 'a' }, topic: 'test.single', partition: 0, check: 1 });
    expect((seen[1] as { storedAt: Date }).storedAt.getTime()).toBeGreaterThanOrEqual(before - 1);
  });

  it('is not made before its time, nor about a message that was committed', async () => {
    const process = await bed.start();
    const asked: number[] = [];
    await check(process, Single, ({ value }: Single) => {
      asked.push(value);
      return 'rollback';
    });
    const late = await process.publisher.publishHalf(Single, { value: 1 }, { checkAfter: '1h' });
    const committed = await process.publisher.publishHalf(Single, { value: 2 }, SOON);
    await committed.commit();
    await process.publisher.publishHalf(Single, { value: 3 }, SOON);
    await waitFor(() => asked.length > 0, { what: 'a check' });
    expect(asked).toEqual([3]);
    await late.commit();
  });

  it("that throws, answers nonsense or 'unknown' is made again, later and later, and counted", async () => {
    const [id] = await leftBehind([1]);
    const process = await bed.start();
    const { events, stop } = eventsOf('check-failed');
    const answers = ['throw', 'nonsense', 'unknown', 'commit'];
    const checks: number[] = [];
    await check(process, Single, (_: Single, context) => {
      checks.push(context.check);
      const answer = answers[checks.length - 1];
      if (answer === 'throw') throw new Error('the database is away');
      return answer;
    });
    for (let count = 1; count <= 3; count += 1) {
      await waitFor(() => checks.length === count, { what: 'a check' });
      await waitFor(async () => String(await bed.command('HGET', keys().halves, id!)).split(' ')[1] === String(count), { what: 'it to be put off' });
      const dueAt = Number(await bed.command('ZSCORE', keys().halvesDue, id!));
      expect(dueAt - Date.now()).toBeLessThanOrEqual(1_000 * 2 ** (count - 1));
      await due();
    }
    await isEmpty(process);
    stop();
    expect(checks).toEqual([1, 2, 3, 4]);
    expect(events.map(({ check: number, messageId }) => [number, messageId])).toEqual([[1, id], [2, id]]);
    expect(await lengthOf()).toBe(1);
  });

  it('that takes too long counts as unknown, and its signal aborts', async () => {
    await leftBehind([1]);
    const process = await bed.start();
    const { events, stop } = eventsOf('check-failed');
    const aborted = signal<unknown>();
    const isFirst = signal();
    await check(process, Single, (_: Single, context) => {
      if (context.check > 1) return 'commit';
      isFirst.fire();
      context.signal.addEventListener('abort', () => aborted.fire(context.signal.reason));
      return new Promise(() => undefined);
    }, { timeoutMs: 100 });
    await isFirst.promise;
    expect(await aborted.promise).toMatchObject({ code: 'TIMEOUT' });
    await isEmpty(process);
    stop();
    expect(events).toMatchObject([{ check: 1, error: { code: 'TIMEOUT' } }]);
    expect(await lengthOf()).toBe(1);
  });

  it('is shared by several processes: each half message is asked about once', async () => {
    await leftBehind(Array.from({ length: 40 }, (_, value) => value));
    const asked: number[] = [];
    const [begun, all] = [new Set<number>(), signal()];
    for (let count = 0; count < 3; count += 1) {
      await check(await bed.start(), Single, async ({ value }: Single) => {
        asked.push(value);
        if (begun.add(count).size === 3) all.fire();
        await all.promise;
        return 'commit';
      });
    }
    await isEmpty(await bed.start());
    expect(asked.sort((a, b) => a - b)).toEqual(Array.from({ length: 40 }, (_, value) => value));
    expect(await lengthOf()).toBe(40);
  });

  it('comes too late for a message that was committed meanwhile', async () => {
    const process = await bed.start();
    const message = await process.publisher.publishHalf(Single, { value: 1 }, SOON);
    const [begun, go] = [signal(), signal()];
    await check(process, Single, async () => {
      begun.fire();
      await go.promise;
      return 'rollback';
    });
    await begun.promise;
    const result = await message.commit();
    go.fire();
    expect(await message.commit()).toEqual(result);
    expect(await lengthOf()).toBe(1);
  });

  it('whose process dies is made by another', async () => {
    await leftBehind([1]);
    const [doomed, begun] = [await bed.start(), signal()];
    await check(doomed, Single, () => {
      begun.fire();
      return new Promise(() => undefined);
    }, { timeoutMs: 60_000 });
    await begun.promise;
    doomed.vanish();
    const process = await bed.start();
    await check(process, Single, (_: Single, { check: number }) => (number === 1 ? 'commit' : 'rollback'));
    await due();
    await isEmpty(process);
    expect(await lengthOf()).toBe(1);
  });

  it('that was taken by another process meanwhile does not put the message off', async () => {
    const [id] = await leftBehind([1]);
    const [slow, begun, go] = [await bed.start(), signal(), signal()];
    await check(slow, Single, async () => {
      begun.fire();
      await go.promise;
      return 'unknown';
    });
    await begun.promise;
    const at = Number(await bed.command('ZSCORE', keys().halvesDue, id!));
    const record = String(await bed.command('HGET', keys().halves, id!));
    await bed.command('HSET', keys().halves, id!, record.replace(/^(\d+ \d+) 1 /, '$1 2 '));
    const settled = slow.streams.stop(5_000);
    go.fire();
    await settled;
    expect(Number(await bed.command('ZSCORE', keys().halvesDue, id!))).toBe(at);
  });

  it('is not counted when its process stops, and is due again at once', async () => {
    const [id] = await leftBehind([1]);
    const [process, begun] = [await bed.start(), signal()];
    await check(process, Single, () => {
      begun.fire();
      return new Promise(() => undefined);
    }, { timeoutMs: 60_000 });
    await begun.promise;
    await process.streams.stop(50);
    expect(String(await bed.command('HGET', keys().halves, id!)).split(' ')[1]).toBe('0');
    expect(Number(await bed.command('ZSCORE', keys().halvesDue, id!))).toBeLessThanOrEqual(Date.now());
  });
});

describe('the checks of a process', () => {
  it('take no more than 32 in one call of a script, and ask about as many at once as they may', async () => {
    const publisher = await bed.start();
    await Promise.all(Array.from({ length: 70 }, (_, value) => publisher.publisher.publishHalf(Single, { value }, SOON)));
    await due();
    const process = await bed.start();
    const { control } = process.redis;
    const run = control.run.bind(control);
    const taken: number[] = [];
    control.run = async (script, ...args) => {
      const reply = await run(script, ...args);
      if (script.name === 'take-halves.lua') taken.push(((reply as unknown[]).length - 1) / 2);
      return reply;
    };
    const [all, asked] = [signal(), new Set<number>()];
    await check(process, Single, async ({ value }: Single) => {
      asked.add(value);
      if (asked.size === 70) all.fire();
      await all.promise;
      return 'rollback';
    }, { concurrency: 100 });
    await isEmpty(process);
    expect(taken.slice(0, 3)).toEqual([32, 32, 6]);
  });

  it.each([
    ['of so many half messages as it may ask about at once', { pad: 1, count: 25, most: 10 }],
    ['of 256 KiB of half messages, or one', { pad: 200_000, count: 3, most: 1 }],
  ])('take a page at a time: %s', async (_, { pad, count, most }) => {
    const publisher = await bed.start();
    const headers = Object.fromEntries(Array.from({ length: Math.ceil(pad / 8_000) }, (__, index) => [`pad${index}`, 'x'.repeat(Math.min(pad, 8_000))]));
    for (let value = 0; value < count; value += 1) await publisher.publisher.publishHalf(Single, { value }, { ...SOON, headers });
    await due();
    const process = await bed.start();
    const [pages, atWork] = [[] as number[], { count: 0 }];
    await check(process, Single, async () => {
      atWork.count += 1;
      pages.push(atWork.count);
      await new Promise((resolve) => setImmediate(resolve));
      atWork.count -= 1;
      return 'commit';
    });
    await isEmpty(process);
    expect(pages).toHaveLength(count);
    expect(Math.max(...pages)).toBe(most);
  });
});

describe('a half message about which too many checks found nothing out', () => {
  it('is kept, and an operator decides', async () => {
    const ids = await leftBehind([1, 2, 3], { ...SOON, checks: 1, key: 'k' });
    const process = await bed.start();
    const { events, stop } = eventsOf('half-given-up');
    const [asked, state] = [[] as number[], { answer: 'unknown' }];
    await check(process, Single, ({ value }: Single) => {
      asked.push(value);
      return state.answer;
    });
    const { halves } = process.streams;
    await waitFor(async () => (await halves.state(Single)).givenUp === 3, { what: 'all of them to be given up' });
    stop();
    expect(events.map(({ messageId, checks }) => [messageId, checks]).sort()).toEqual(ids.map((id) => [id, 1]));
    const listed = await halves.givenUp(Single);
    expect(listed.map(({ id }) => id).sort()).toEqual(ids);
    expect(listed[0]).toMatchObject({ partition: 0, key: 'k', checks: 1, headers: {} });
    expect((await halves.state(Single)).checkedAt).toBeInstanceOf(Date);
    await halves.commit(Single, { id: ids[0]!, partition: 0 });
    await halves.rollback(Single, { id: ids[1]!, partition: 0 });
    state.answer = 'commit';
    await halves.checkAgain(Single, { id: ids[2]!, partition: 0 });
    await isEmpty(process);
    expect(asked.sort()).toEqual([1, 2, 3, 3]);
    expect(await lengthOf()).toBe(2);
    await expect(halves.commit(Single, { id: ids[1]!, partition: 0 })).rejects.toMatchObject({ code: 'TRANSACTION_ENDED' });
    await expect(halves.commit(Single, { id: ids[1]!, partition: 1 })).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
  });

  it('is still committed by its publisher', async () => {
    const process = await bed.start();
    const message = await process.publisher.publishHalf(Single, { value: 1 }, { ...SOON, checks: 1 });
    await check(process, Single, () => 'unknown');
    await waitFor(async () => (await process.streams.halves.state(Single)).givenUp === 1, { what: 'it to be given up' });
    expect(await message.commit()).toMatchObject({ offset: 0 });
    await isEmpty(process);
  });
});

describe('the index of half messages', () => {
  it('is made again from the partitions when Redis has lost it', async () => {
    await leftBehind([1]);
    await bed.command('DEL', halfIndexKey(bed.prefix, 'test.single'));
    const process = await bed.start();
    await check(process, Single, () => 'commit');
    await isEmpty(process);
    expect(await lengthOf()).toBe(1);
  });

  it('keeps a partition whose half message is not stored yet, though a look found none', async () => {
    const process = await bed.start();
    const { publish } = process.redis;
    const run = publish.run.bind(publish);
    const [sent, go] = [signal(), signal()];
    publish.run = async (script, ...args) => {
      if (script.name !== 'prepare-half.lua') return run(script, ...args);
      sent.fire();
      await go.promise;
      return run(script, ...args);
    };
    const index = halfIndexKey(bed.prefix, 'test.single');
    const storing = process.publisher.publishHalf(Single, { value: 1 }, { checkAfter: '4s' });
    await sent.promise;
    // Another publisher has an earlier look, which finds nothing.
    const [, promised] = String(await bed.command('HGET', index, '0')).split(' ');
    await bed.command('HSET', index, '0', `1 ${promised!}`);
    const checker = await bed.start();
    await check(checker, Single, () => 'commit');
    const looked = async (): Promise<boolean> => String(await bed.command('HGET', index, '0')) === `${promised!} ${promised!}`;
    await waitFor(looked, { what: 'a look that finds nothing' }).finally(() => go.fire());
    await storing;
    await isEmpty(checker);
    expect(await lengthOf()).toBe(1);
  });

  it('refuses a half message that comes when its look may be over', async () => {
    const process = await bed.start();
    await process.streams.declare(topicOf(Single));
    const { publish } = process.redis;
    const run = publish.run.bind(publish);
    const sent: unknown[] = [];
    publish.run = (script, keyNames, args) => {
      if (script.name !== 'prepare-half.lua') return run(script, keyNames, args);
      sent.push(args[2]);
      return run(script, keyNames, sent.length === 1 ? args.map((arg, place) => (place === 2 ? '1' : arg)) : args);
    };
    await process.publisher.publishHalf(Single, { value: 1 });
    expect(sent).toHaveLength(2);
    expect(await process.streams.halves.state(Single)).toMatchObject({ stored: 1 });
  });

  it('forgets a partition without half messages', async () => {
    const process = await bed.start();
    const message = await process.publisher.publishHalf(Single, { value: 1 });
    await message.commit();
    const index = halfIndexKey(bed.prefix, 'test.single');
    await bed.command('HSET', index, '0', '1 1');
    await check(process, Single, () => 'unknown');
    await waitFor(async () => (await bed.command('HEXISTS', index, '0')) === 0, { what: 'the partition to be forgotten' });
  });

  it('says when nobody checks', async () => {
    const process = await bed.start();
    const { events, stop } = eventsOf('halves-unchecked');
    await process.publisher.publishHalf(Numbered, { value: 1 }, { key: 'k' });
    expect(events).toEqual([]);
    const index = halfIndexKey(bed.prefix, 'test.numbered');
    const [partition] = (await bed.command('HKEYS', index)) as string[];
    await bed.command('HSET', index, partition!, `${Date.now() - 90_000} 1`);
    const other = await bed.start();
    await other.publisher.publishHalf(Numbered, { value: 2 }, { key: 'k' });
    stop();
    expect(events).toHaveLength(1);
    expect(events[0]).toMatchObject({ topic: 'test.numbered' });
    expect(events[0]!.overdueMs).toBeGreaterThanOrEqual(90_000);
  });
});

describe('a process', () => {
  it('has one handler of checks for a topic', async () => {
    const process = await bed.start();
    const checks = await check(process, Single, () => 'unknown');
    await expect(check(process, Single, () => 'unknown')).rejects.toMatchObject({ code: 'DUPLICATE_SUBSCRIPTION' });
    await checks.stop(100);
    await check(process, Single, () => 'unknown');
  });

  it('that stops takes no half messages any more', async () => {
    const process = await bed.start();
    const message = await process.publisher.publishHalf(Single, { value: 1 });
    await process.streams.stop(100);
    await expect(process.publisher.publishHalf(Single, { value: 2 })).rejects.toMatchObject({ code: 'CLOSED' });
    await expect(process.streams.checkHalves({ topic: topicOf(Single), concurrency: 1, timeoutMs: 1 }, async () => 'unknown')).rejects.toMatchObject({ code: 'CLOSED' });
    // Redis still answers: a hook that ends later may commit.
    expect(await message.commit()).toMatchObject({ offset: 0 });
  });
});
