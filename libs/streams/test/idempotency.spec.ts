import { describe, expect, it } from '@jest/globals';
import { MillraceError, type PublishOptions, type PublishResult, Topic, topicOf } from '@millrace/core';
import type { RedisConnection } from '@millrace/redis';
import { waitFor } from '@millrace/testing';
import fc from 'fast-check';
import { crc32 } from 'node:zlib';
import { partitionKeys } from '../src/keys.js';
import { Bed } from './bed.js';
import type { Process } from './fixture.js';

class Pair {
  k!: string;
  a?: unknown;
  b?: unknown;
}

const PARTITIONS = 8;

@Topic<Eight>('test.eight', { partitions: PARTITIONS, key: ({ k }) => k })
class Eight extends Pair {}

@Topic<Narrow>('test.narrow', { partitions: PARTITIONS, key: ({ k }) => k, idempotencyScope: 'partition' })
class Narrow extends Pair {}

@Topic<Brief>('test.brief', { partitions: PARTITIONS, key: ({ k }) => k, idempotencyWindow: '1s' })
class Brief extends Pair {}

const bed = new Bed('idempotency');
const mismatch = { code: 'IDEMPOTENCY_MISMATCH' };
const placeOf = (key: string): number => crc32(key) % PARTITIONS;
const keysOf = (partition: number, topic = 'test.eight'): ReturnType<typeof partitionKeys> => partitionKeys(bed.prefix, topic, partition);
const LETTERS = [...'abcdefghijklmnopqrstuvwxyz'];
/** A message key that leads to another partition than the idempotency key, as most do. */
const elsewhere = (idempotencyKey: string): string => LETTERS.find((key) => placeOf(key) !== placeOf(idempotencyKey))!;

async function stored(topic = 'test.eight'): Promise<number> {
  const lengths = Array.from({ length: PARTITIONS }, (_, partition) => bed.command('XLEN', keysOf(partition, topic).log));
  return (await Promise.all(lengths)).reduce((sum: number, length) => sum + Number(length), 0);
}

/** How a publish ended: stored, a duplicate, or the code of its error. */
const outcomeOf = (published: Promise<PublishResult>): Promise<string> =>
  published.then(({ duplicate }) => (duplicate ? 'duplicate' : 'stored')).catch((error: unknown) => (error as MillraceError).code);

/** Calls `act` before the first batch of messages is sent, after the claims. */
function beforeTheFirstBatch(process: Process, act: (partition: number) => Promise<unknown>): void {
  const connection: { run: RedisConnection['run'] } = process.redis.publish;
  const run = connection.run.bind(connection);
  connection.run = async (script, keys, args) => {
    if (script.name !== 'publish.lua') return run(script, keys, args);
    connection.run = run;
    await act(Number(/:(\d+)}/.exec(keys[0]!)![1]));
    return run(script, keys, args);
  };
}

describe('an idempotency key holds for its topic', () => {
  it('with different payloads, in any partitions: one message is stored, only the others are refused', async () => {
    const { publisher } = await bed.start();
    const results: string[] = [];
    for (const k of 'abcde') results.push(await outcomeOf(publisher.publish(Eight, { k }, { idempotencyKey: 'one' })));
    expect(results).toEqual(['stored', ...Array.from({ length: 4 }, () => 'IDEMPOTENCY_MISMATCH')]);
    expect(await stored()).toBe(1);
  });

  it('over processes, and for concurrent publishes', async () => {
    const processes = [await bed.start(), await bed.start()];
    const outcomes = await Promise.all(
      LETTERS.map((k, index) => outcomeOf(processes[index % 2]!.publisher.publish(Eight, { k }, { idempotencyKey: 'one' }))),
    );
    expect(outcomes.filter((outcome) => outcome === 'stored')).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === 'IDEMPOTENCY_MISMATCH')).toHaveLength(LETTERS.length - 1);
    expect(await stored()).toBe(1);
  });

  it('inside one batch: another payload is refused, the same payload is a duplicate, and other messages are stored', async () => {
    const { publisher } = await bed.start();
    const ks = ['a', 'b', 'a', 'c'];
    const uses = [...ks.map((k) => [k, { idempotencyKey: 'one' }] as const), ['b', { idempotencyKey: 'two' }] as const, ['b', {}] as const];
    const outcomes = await Promise.all(uses.map(([k, options]) => outcomeOf(publisher.publish(Eight, { k }, options))));
    expect(outcomes.slice(4)).toEqual(['stored', 'stored']);
    expect(outcomes.filter((outcome) => outcome === 'stored')).toHaveLength(3);
    expect(await stored()).toBe(3);
  });

  it('and covers the message key: with another key, or without one, it is another message', async () => {
    const { publisher } = await bed.start();
    const [first, second] = ['one', 'two'];
    const publish = (idempotencyKey: string, options: PublishOptions = {}): Promise<string> =>
      outcomeOf(publisher.publish(Eight, { k: 'x' }, { ...options, idempotencyKey }));
    const key = elsewhere(first);
    expect([await publish(first, { key }), await publish(first, { key: '' }), await publish(first, { key })]).toEqual(['stored', mismatch.code, 'duplicate']);
    expect([await publish(second, { key: '' }), await publish(second, { key: elsewhere(second) })]).toEqual(['stored', mismatch.code]);
  });

  it('does what a map from idempotency keys to messages would do', async () => {
    const { publisher } = await bed.start();
    const use = fc.record({ idempotencyKey: fc.constantFrom('i', 'j', 'k'), key: fc.constantFrom('', ...'abcdef'), b: fc.constantFrom(1, 2) });
    await fc.assert(
      fc.asyncProperty(fc.array(use, { minLength: 1, maxLength: 12 }), async (uses) => {
        await bed.command('FLUSHALL');
        const known = new Map<string, string>();
        for (const { idempotencyKey, key, b } of uses) {
          const what = `${key} ${b}`;
          const expected = known.has(idempotencyKey) ? (known.get(idempotencyKey) === what ? 'duplicate' : mismatch.code) : 'stored';
          if (!known.has(idempotencyKey)) known.set(idempotencyKey, what);
          expect(await outcomeOf(publisher.publish(Eight, { k: 'x', b }, { idempotencyKey, key }))).toBe(expected);
        }
        expect(await stored()).toBe(known.size);
      }),
      { numRuns: 30 },
    );
  });

  it('names its earlier use in the error, and the way out', async () => {
    const { publisher } = await bed.start();
    await publisher.publish(Eight, { k: elsewhere('one') }, { idempotencyKey: 'one' });
    const error = publisher.publish(Eight, { k: 'x', a: 1 }, { idempotencyKey: 'one' });
    await expect(error).rejects.toThrow(`on topic 'test.eight' (in partition ${placeOf(elsewhere('one'))}). Nothing was stored. Use another idempotency key`);
  });

  it('for its partition alone where the topic is declared so', async () => {
    const { publisher } = await bed.start();
    const others = LETTERS.filter((k) => placeOf(k) !== placeOf('a'));
    const outcome = (k: string, a = 0): Promise<string> => outcomeOf(publisher.publish(Narrow, { k, a }, { idempotencyKey: 'one' }));
    expect([await outcome('a'), await outcome(others[0]!), await outcome('a'), await outcome('a', 1)]).toEqual(['stored', 'stored', 'duplicate', mismatch.code]);
  });
});

describe('the same payload', () => {
  it('is the same in whatever order its properties were set, at any depth, and a list in another order is another', async () => {
    const { publisher } = await bed.start();
    const publish = (payload: Eight, k = 'x'): Promise<string> => outcomeOf(publisher.publish(Eight, { ...payload, k }, { idempotencyKey: `one ${k}` }));
    expect(await publish({ k: 'x', a: [{ c: 1, d: { e: 2, f: 3 } }], b: { 2: 'x', y: null } })).toBe('stored');
    expect(await publish({ b: { y: null, 2: 'x' }, a: [{ d: { f: 3, e: 2 }, c: 1 }], k: 'x' })).toBe('duplicate');
    expect(await publish({ k: 'x', a: [1, 2] }, 'y')).toBe('stored');
    expect(await publish({ k: 'x', a: [2, 1] }, 'y')).toBe(mismatch.code);
  });

  it('is a duplicate also when the clock of Redis was set back into the window before', async () => {
    const { publisher } = await bed.start();
    const publish = (): Promise<string> => outcomeOf(publisher.publish(Eight, { k: 'x' }, { idempotencyKey: 'x' }));
    expect(await publish()).toBe('stored');
    const { ids } = keysOf(placeOf('x'));
    const [current, other] = (await bed.command('EXISTS', ids[0])) === 1 ? ids : [ids[1], ids[0]];
    // As if it had been stored in the next window.
    await bed.command('RENAME', current, other);
    await bed.command('HINCRBY', other, '', 1);
    expect([await publish(), await stored()]).toEqual(['duplicate', 1]);
  });

  it.each(['a CRC', 'a digest'])('that an older version of Millrace stored, by %s, is a duplicate', async (how) => {
    const { publisher } = await bed.start();
    const publish = (a?: number): Promise<PublishResult> => publisher.publish(Eight, { k: key, a }, { idempotencyKey: 'one' });
    const key = elsewhere('one');
    const { id } = await publish();
    const [place, home] = [placeOf(key), placeOf('one')];
    const idsOf = async (partition: number): Promise<string> =>
      ((await bed.command('KEYS', `${bed.prefix}:{test.eight:${partition}}:ids:*`)) as [string])[0];
    const [, stored] = ((await bed.command('HGET', await idsOf(place), 'one')) as string).split(' ');
    const digest = how === 'a CRC' ? '1abc2' : stored;
    await bed.command('HSET', await idsOf(place), 'one', `${digest} 0 ${id}`);
    await bed.command('HSET', await idsOf(home), 'one', `${digest} @${place}`);
    expect(await publish()).toEqual({ id, partition: place, offset: 0, duplicate: true });
    // By a CRC it cannot be compared.
    if (how === 'a digest') await expect(publish(1)).rejects.toMatchObject(mismatch);
  });
});

describe('a claim', () => {
  it('costs a publish one more call; none without an idempotency key, or in the home partition of the key', async () => {
    const { publisher, streams } = await bed.start();
    await streams.declare(topicOf(Eight));
    await streams.declare(topicOf(Narrow));
    const calls = async (publish: () => Promise<unknown>): Promise<number> => {
      await publish();
      const before = await scriptCalls();
      await publish();
      return (await scriptCalls()) - before;
    };
    const [near, far] = [LETTERS.find((k) => placeOf(k) === placeOf('one'))!, elsewhere('one')];
    const keyed = { idempotencyKey: 'one' };
    expect(await calls(() => publisher.publish(Eight, { k: far }))).toBe(1);
    expect(await calls(() => publisher.publish(Eight, { k: far }, keyed))).toBe(2);
    expect(await calls(() => publisher.publish(Narrow, { k: far }, keyed))).toBe(1);
    expect(await calls(() => publisher.publish(Eight, { k: '' }, { idempotencyKey: 'two' }))).toBe(1);
    expect(await calls(() => publisher.publish(Eight, { k: near }, { idempotencyKey: 'one', key: near }).catch(() => undefined))).toBe(1);
    const many = LETTERS.slice(0, 20).map(() => ({ payload: { k: far }, idempotencyKey: 'one' }));
    expect(await calls(() => publisher.publishMany(Eight, many))).toBe(2);
  });

  async function scriptCalls(): Promise<number> {
    const stats = String(await bed.command('INFO', 'commandstats'));
    return Number(/cmdstat_evalsha:calls=(\d+)/.exec(stats)?.[1] ?? 0);
  }

  it('keeps the order of publishes, with and without idempotency keys', async () => {
    const { publisher, streams } = await bed.start();
    await streams.declare(topicOf(Eight));
    const publish = (index: number): Promise<PublishResult> =>
      publisher.publish(Eight, { k: 'x', a: index }, index % 3 === 0 ? {} : { idempotencyKey: `key ${index}` });
    const results = await Promise.all(Array.from({ length: 300 }, (_, index) => publish(index)));
    expect(results.map(({ offset }) => offset)).toEqual(Array.from({ length: 300 }, (_, index) => index));
  });

  it('whose process vanished before it stored the message admits the same payload, and no other', async () => {
    const [victim, heir] = [await bed.start(), await bed.start()];
    const [k, other] = [elsewhere('one'), 'another'];
    const lost = new Promise((resolve) => {
      beforeTheFirstBatch(victim, async () => {
        victim.vanish();
        resolve(victim.streams.stop(0));
      });
    });
    await Promise.all([expect(victim.publisher.publish(Eight, { k }, { idempotencyKey: 'one' })).rejects.toBeInstanceOf(MillraceError), lost]);
    expect(await stored()).toBe(0);
    expect(await outcomeOf(heir.publisher.publish(Eight, { k: other }, { idempotencyKey: 'one' }))).toBe(mismatch.code);
    expect(await outcomeOf(heir.publisher.publish(Eight, { k }, { idempotencyKey: 'one' }))).toBe('stored');
  });

  it('whose answer is lost is sent again, and the message is stored once', async () => {
    const { process, proxy } = await bed.startBehindProxy();
    await process.publisher.publish(Eight, { k: elsewhere('one') });
    const dropped = proxy.dropReplies();
    const published = process.publisher.publish(Eight, { k: elsewhere('one') }, { idempotencyKey: 'one' });
    await dropped;
    await proxy.pass();
    expect(await published).toMatchObject({ offset: 1, duplicate: false });
    expect(await stored()).toBe(2);
  });

  it('lasts as long as its message is remembered, also when a window ends between the two', async () => {
    const process = await bed.start();
    const k = elsewhere('one');
    await process.streams.declare(topicOf(Brief));
    const windowNow = async (): Promise<number> => Number(((await bed.command('TIME')) as [string])[0]);
    beforeTheFirstBatch(process, async () => {
      const claimedIn = await windowNow();
      await waitFor(async () => (await windowNow()) > claimedIn + 1, { what: 'the window to end', timeoutMs: 10_000 });
    });
    expect(await outcomeOf(process.publisher.publish(Brief, { k }, { idempotencyKey: 'one' }))).toBe('stored');
    const windowsWith = async (partition: number): Promise<number[]> => {
      const { ids } = keysOf(partition, 'test.brief');
      const windows = await Promise.all(ids.map((key) => bed.command('HMGET', key, '', 'one')));
      return (windows as [string | null, string | null][]).flatMap(([window, use]) => (use === null ? [] : [Number(window)]));
    };
    const [claimed, remembered] = [await windowsWith(placeOf('one')), await windowsWith(placeOf(k))];
    expect(remembered).toHaveLength(1);
    expect(Math.max(...claimed)).toBeGreaterThanOrEqual(remembered[0]!);
  });

  it('is sent again when Redis lost it before the message was stored', async () => {
    const process = await bed.start();
    const k = elsewhere('one');
    await process.streams.declare(topicOf(Eight));
    beforeTheFirstBatch(process, () => bed.command('FLUSHALL'));
    expect(await outcomeOf(process.publisher.publish(Eight, { k }, { idempotencyKey: 'one' }))).toBe('stored');
    expect(await outcomeOf(process.publisher.publish(Eight, { k: 'another' }, { idempotencyKey: 'one' }))).toBe(mismatch.code);
    expect(await stored()).toBe(1);
  });

  it('may be the first write to the topic', async () => {
    const { publisher } = await bed.start();
    expect(await outcomeOf(publisher.publish(Eight, { k: elsewhere('one') }, { idempotencyKey: 'one' }))).toBe('stored');
    expect(await bed.command('HGET', `${bed.prefix}:topics`, 'test.eight')).toBe(String(PARTITIONS));
  });
});

describe('a claim that fails', () => {
  it('as Redis is full refuses its message with back-pressure', async () => {
    const process = await bed.start();
    await process.publisher.publish(Eight, { k: 'x' });
    await bed.command('CONFIG', 'SET', 'maxmemory', 1);
    try {
      expect(await outcomeOf(process.publisher.publish(Eight, { k: elsewhere('one') }, { idempotencyKey: 'one' }))).toBe('BACK_PRESSURE');
    } finally {
      await bed.command('CONFIG', 'SET', 'maxmemory', 0);
    }
    expect(await outcomeOf(process.publisher.publish(Eight, { k: elsewhere('one') }, { idempotencyKey: 'one' }))).toBe('stored');
  });

  it('for good refuses its message alone', async () => {
    const process = await bed.start();
    await process.streams.declare(topicOf(Eight));
    for (const key of keysOf(placeOf('one')).ids) await bed.command('SET', key, 'of another type');
    const k = elsewhere('one');
    const two = LETTERS.find((key) => ![placeOf('one'), placeOf(k)].includes(placeOf(key)))!;
    const outcomes = [{ idempotencyKey: 'one' }, { idempotencyKey: two }, {}].map((options) => outcomeOf(process.publisher.publish(Eight, { k }, options)));
    expect(await Promise.all(outcomes)).toEqual(['REDIS_FAILED', 'stored', 'stored']);
  });

  it('ends at the deadline of its message, and other messages of the batch and behind it end at their own', async () => {
    const { process, proxy } = await bed.startBehindProxy({ publishDeadlineMs: 30_000 });
    const k = elsewhere('one');
    await process.publisher.publish(Eight, { k });
    await proxy.refuse();
    await waitFor(() => !process.redis.publish.isReady, { what: 'the process to notice' });
    const publish = (options: PublishOptions): Promise<string> => outcomeOf(process.publisher.publish(Eight, { k }, options));
    const long = [publish({ idempotencyKey: 'one' }), publish({})];
    await new Promise(setImmediate);
    const short = [publish({ idempotencyKey: 'one', deadline: '50ms' }), publish({ deadline: '50ms' }), publish({ idempotencyKey: 'two', deadline: '50ms' })];
    expect(await Promise.all(short)).toEqual(['PUBLISH_REFUSED', 'PUBLISH_REFUSED', 'PUBLISH_REFUSED']);
    await proxy.pass();
    expect(await Promise.all(long)).toEqual(['stored', 'stored']);
    expect(await stored()).toBe(3);
  });

  it('delays a stop no longer than its deadline, and takes its share of the budget meanwhile', async () => {
    const { process, proxy } = await bed.startBehindProxy({ publishDeadlineMs: 30_000, publishBufferBytes: 100 });
    const k = elsewhere('one');
    await process.publisher.publish(Eight, { k });
    await proxy.refuse();
    await waitFor(() => !process.redis.publish.isReady, { what: 'the process to notice' });
    const waiting = outcomeOf(process.publisher.publish(Eight, { k }, { idempotencyKey: 'one' }));
    await new Promise(setImmediate);
    expect(await outcomeOf(process.publisher.publish(Eight, { k }, { idempotencyKey: 'two' }))).toBe('BACK_PRESSURE');
    await process.streams.stop(200);
    expect(await waiting).toBe('PUBLISH_REFUSED');
  });
});
