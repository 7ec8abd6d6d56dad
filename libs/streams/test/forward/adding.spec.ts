import { beforeEach, describe, expect, it } from '@jest/globals';
import { topicOf } from '@millrace/core';
import { loadScript } from '@millrace/redis';
import { settleKeysOf } from '../../src/consume/settle-call.js';
import { entryNameOf } from '../../src/forward/forward-entry.js';
import { ForwardLog } from '../../src/forward/forward-log.js';
import { SETTLED_PAGE_OFFSETS, settledKey } from '../../src/keys.js';
import { Bed } from '../bed.js';
import type { Process } from '../fixture.js';
import { storedEntry } from '../stored-entry.js';
import { Single } from '../topics.js';

/** Calls the script alone, as one member does. */
const settle = loadScript('../../src/scripts/settle.lua', import.meta.url);

const bed = new Bed('forward-adding');
let process: Process;

const place = () => bed.place(Single, 'g');
const log = (): ForwardLog => new ForwardLog({ redis: process.redis }, place());

beforeEach(async () => {
  process = await bed.start();
  await process.streams.declare(topicOf(Single));
  await bed.command('XGROUP', 'CREATE', place().keys.log, 'g', '0');
  await bed.command('XGROUP', 'CREATE', place().groupKeys.again, 'g', '0', 'MKSTREAM');
});

/** An entry of two messages, which member a then holds. */
async function held(base: number): Promise<string> {
  const [id, ...fields] = storedEntry(base, [0, 1].map((index) => `[1,"id-${base + index}",null,null,null,{"value":1}]`), 1_000);
  await bed.command('XADD', place().keys.log, id, ...fields);
  await bed.command('XREADGROUP', 'GROUP', 'g', 'a', 'STREAMS', place().keys.log, '>');
  return id;
}

async function settled(ids: readonly string[], given: { readonly texts: Readonly<Record<number, string>>; readonly by?: string; readonly repeated?: boolean }): Promise<string> {
  const { texts, by = '0 a', repeated = false } = given;
  const keys = [...settleKeysOf(place().streams[0]), settledKey(bed.prefix, place(), 0), place().groupKeys.forward];
  const forwards = Object.entries(texts).flatMap(([offset, text]) => [offset, 1, text]);
  const head = ['g', 'a', 'log', SETTLED_PAGE_OFFSETS, `${repeated ? 1 : 0} ${by} ${Object.keys(texts).length}`, '0', 1_024, ids.length];
  return String(await process.redis.publish.run(settle, keys, [...head, ...ids, ...forwards]));
}

const contents = async (): Promise<string[]> => ((await bed.command('HVALS', place().groupKeys.forward)) as string[]).sort();
const pending = async (): Promise<number> => (await bed.pending(Single, 'g')).length;

describe('a settlement of messages that forward something', () => {
  it('adds it once, though it is repeated, and only for messages that it settles', async () => {
    const lane = await log().claim('a', []);
    const ids = [await held(0), await held(2)];
    const reply = await settled(ids.slice(0, 1), { texts: { 0: 'x', 1: 'y' } });
    const [letters, name] = reply.split(' ');
    expect([letters, entryNameOf(name!)]).toEqual(['S', expect.objectContaining({ lane, first: 1, count: 2 })]);
    expect(await settled(ids, { texts: { 0: 'x', 1: 'y', 2: 'z' }, repeated: true })).toMatch(/^SS \S+:3:1$/);
    expect(await contents()).toEqual(['x\ny', 'z']);
    const third = await held(4);
    await bed.command('SETBIT', settledKey(bed.prefix, place(), 0), 4, 1);
    expect(await settled([third], { texts: { 4: 'again', 5: 'new' } })).toMatch(/^D \S+:4:1$/);
    expect(await contents()).toEqual(['new', 'x\ny', 'z']);
  });

  it('settles nothing when it cannot be added, and adds it when it can', async () => {
    await log().claim('a', []);
    const ids = [await held(0)];
    await bed.command('SET', place().groupKeys.forward, 'of another type');
    await expect(settled(ids, { texts: { 0: 'x' } })).rejects.toThrow(/WRONGTYPE/);
    expect(await pending()).toBe(1);
    await bed.command('DEL', place().groupKeys.forward);
    expect(await settled(ids, { texts: { 0: 'x' }, repeated: true })).toMatch(/^S \S+$/);
    expect([await contents(), await pending()]).toEqual([['x'], 0]);
    expect(await bed.command('HMGET', place().groupKeys.stats, 'settled', 'handled')).toEqual(['2', '2']);
  });

  it('does nothing when another member has the lane', async () => {
    await log().claim('a', []);
    expect([await log().claim('b', ['a']), await log().claim('c', ['b'])]).toEqual(['1', '0']);
    const ids = [await held(0)];
    expect(await settled(ids, { texts: { 0: 'x' } })).toBe('LANE');
    expect([await contents(), await pending()]).toEqual([[], 1]);
  });

  it('numbers what it adds anew when the server may have lost the last numbers', async () => {
    await log().claim('a', []);
    const ids = [await held(0), await held(2)];
    const first = await settled(ids.slice(0, 1), { texts: { 0: 'x' } });
    await bed.command('HSET', place().groupKeys.control, 'lane:0', 'a 0123456789ab.1700000000000000 500');
    const second = await settled(ids.slice(1), { texts: { 2: 'y' } });
    expect([first, second].map((reply) => entryNameOf(reply.split(' ')[1]!).first)).toEqual([1, 1]);
    expect(entryNameOf(second.split(' ')[1]!).generation).not.toBe('0123456789ab.1700000000000000');
  });
});
