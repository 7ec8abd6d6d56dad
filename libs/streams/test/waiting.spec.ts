import { beforeEach, describe, expect, it } from '@jest/globals';
import { topicOf } from '@millrace/core';
import { loadScript } from '@millrace/redis';
import { settleKeysOf } from '../src/consume/settle-call.js';
import { tendKeysOf } from '../src/group/tender.js';
import { SETTLED_PAGE_OFFSETS, settledKey } from '../src/keys.js';
import { Bed } from './bed.js';
import type { Process } from './fixture.js';
import { numbers, Single } from './topics.js';

const settle = loadScript('../src/scripts/settle.lua', import.meta.url);
const tend = loadScript('../src/scripts/tend.lua', import.meta.url);
const trim = loadScript('../src/scripts/trim.lua', import.meta.url);

type Rows = [id: string, fields: string[]][];
type Copy = [offset: number, attempt: number, crashes: number, firstFailedAt: number | null, text: string];

const MOST_BYTES = 260;
/** Entries of `again` that no member holds. */
const MOST_AGAIN = 256;
const MOST_COPIED = 64;
const HOUR_MS = 3_600_000;

const bed = new Bed('waiting');
let process: Process;

const place = (): ReturnType<typeof bed.place> => bed.place(Single, 'g');
const run = (script: typeof tend, keys: string[], args: (string | number)[]): Promise<unknown> =>
  process.redis.control.run(script, keys, args);
const sizeOf = async (key: string): Promise<number> => Number(await bed.command('MEMORY', 'USAGE', key, 'SAMPLES', 0));
const page = (): string => settledKey(bed.prefix, place(), 0);

beforeEach(async () => {
  process = await bed.start();
  await process.streams.declare(topicOf(Single));
  const { keys, groupKeys } = place();
  await bed.command('XGROUP', 'CREATE', keys.log, 'g', '0');
  await bed.command('XGROUP', 'CREATE', groupKeys.again, 'g', '0', 'MKSTREAM');
  await bed.command('HSET', keys.groups, 'g', 0);
});

async function read(key: string): Promise<Rows> {
  const reply = (await bed.command('XREADGROUP', 'GROUP', 'g', 'a', 'STREAMS', key, '>')) as [[string, Rows]] | null;
  return reply?.[0][1] ?? [];
}

/** Lets `count` messages fail and wait. @returns their texts */
async function fail(count: number, delayMs: number): Promise<string[]> {
  await process.publisher.publishMany(Single, numbers(count));
  const entries = await read(place().keys.log);
  const texts = entries.map(([, fields]) => fields[1]!.slice(1, -1).split(',\n'));
  let base = 0;
  const args = entries.flatMap(([id], index) => {
    const { length } = texts[index]!;
    const offsets = Array.from({ length }, (_, each) => base + each);
    base += length;
    return offsets.flatMap((offset) => [id, offsets[0]!, length, offset, 1, 'retry', String(delayMs), `2 0 ${Date.now()}`, '']);
  });
  for (let from = 0; from < args.length; from += 9_000) {
    await run(settle, [...settleKeysOf(place().streams[0]), page()], ['g', 'a', 'log', SETTLED_PAGE_OFFSETS, '0', '0', 1_000, 0, ...args.slice(from, from + 9_000)]);
  }
  return texts.flat();
}

const tended = (most = 1_000): Promise<unknown> => run(tend, tendKeysOf(place()), [most, 'g']);

async function copies(): Promise<Copy[]> {
  const rows = (await bed.command('XRANGE', place().groupKeys.again, '-', '+')) as Rows;
  return rows.map(([, [, copy]]) => JSON.parse(copy!) as Copy);
}

const offsets = (from: number, until: number): number[] => Array.from({ length: until - from }, (_, index) => from + index);
const firstAgain = async (): Promise<number[]> => (await copies()).map(([offset]) => offset);

describe('a message that waits for another attempt', () => {
  it('takes 260 bytes at the most beside its text, which stays in the log', async () => {
    await fail(10_000, HOUR_MS);
    const { due, open, body, again } = place().groupKeys;
    expect((await sizeOf(due)) + (await sizeOf(open))).toBeLessThanOrEqual(MOST_BYTES * 10_000);
    expect([await bed.command('ZCARD', due), await bed.command('EXISTS', body), await bed.command('XLEN', again)]).toEqual([10_000, 0, 0]);
    expect(await bed.state(process, Single, 'g')).toMatchObject({ retrying: 10_000, lag: 10_000, pending: 0 });
  });

  it('is delivered again as there is room for it, in its order, with its history and its text', async () => {
    const texts = await fail(400, 0);
    for (let call = 0; call < 5; call += 1) await tended(100);
    expect(await firstAgain()).toEqual(offsets(0, MOST_AGAIN));
    const [first] = await copies();
    expect(first).toEqual([0, 2, 0, expect.any(Number), texts[0]]);
    expect(Math.abs(first![3]! - Date.now())).toBeLessThan(60_000);
    await read(place().groupKeys.again);
    await tended();
    expect(await firstAgain()).toEqual(offsets(0, 400));
    expect(await bed.command('ZCARD', place().groupKeys.due)).toBe(0);
  });
});

describe('a trim', () => {
  async function trimmed(): Promise<number> {
    const { keys, groupKeys: { stats, open, body } } = place();
    const group = [stats, page(), settledKey(bed.prefix, place(), SETTLED_PAGE_OFFSETS), open, body];
    await run(trim, [keys.log, keys.meta, keys.groups, ...group], [SETTLED_PAGE_OFFSETS, 0, 0, 0, 0, 10, 0, 'reject', 0, -1, 'g']);
    return Number(await bed.command('HGET', keys.meta, 'first'));
  }

  it('removes no waiting message before its text is copied, and copies a bounded number in a call', async () => {
    const { body } = place().groupKeys;
    const texts = await fail(300, 0);
    const kept = async (): Promise<number> => Number(await bed.command('HLEN', body));
    for (let first = 0, before = 0; first < 290; before = await kept()) {
      first = await trimmed();
      expect((await kept()) - before).toBeLessThanOrEqual(MOST_COPIED);
      if (first > 0) expect(await bed.command('HMGET', body, ...offsets(0, first))).toEqual(texts.slice(0, first));
    }
    await tended();
    expect((await copies()).map(([, , , , text]) => text)).toEqual(texts.slice(0, MOST_AGAIN));
  });

  it('leaves no text of a done message behind', async () => {
    const { again, body } = place().groupKeys;
    await fail(30, 0);
    await trimmed();
    await tended();
    const args = (await read(again)).flatMap(([id], offset) => [id, offset, 1, offset, 1, 'ack', 'handled', '', '']);
    await run(settle, [...settleKeysOf(place().streams[1]), page()], ['g', 'a', 'again', SETTLED_PAGE_OFFSETS, '0', '0', 1_000, 0, ...args]);
    expect(await bed.command('EXISTS', body)).toBe(0);
    expect(await bed.state(process, Single, 'g')).toMatchObject({ lag: 0, handled: 30 });
  });
});

describe('a seek', () => {
  const seek = (offset: number): Promise<unknown> => process.streams.groups.seek(topicOf(Single), 'g', { to: { offset } });
  const isSwept = async (): Promise<boolean> => (await bed.command('HEXISTS', place().groupKeys.control, 'void')) === 0;

  it('makes the messages behind it void, which are never delivered, and removes them page by page', async () => {
    const { due, open, body } = place().groupKeys;
    await fail(1_300, 0);
    await tended(10);
    expect(await seek(100)).toEqual([expect.objectContaining({ to: 100, again: 1_200, retriesDropped: 1_200 })]);
    expect([await isSwept(), await bed.state(process, Single, 'g')]).toEqual([false, expect.objectContaining({ lag: 1_300 })]);
    for (let call = 0; call < 4; call += 1) await tended();
    expect(await firstAgain()).toEqual(offsets(0, 100));
    expect([await isSwept(), await bed.command('ZCARD', due), await bed.command('ZCARD', open)]).toEqual([true, 0, 100]);
    expect(await bed.command('EXISTS', body)).toBe(0);
  });

  it('keeps the messages that a vanished member held before it, also those of the entry in which it lies', async () => {
    const packing = await bed.start({ messagesPerEntry: 16 });
    await packing.publisher.publishMany(Single, numbers(16));
    const [[entry, [, text]]] = (await read(place().keys.log)) as [[string, string[]]];
    const args = [entry, 0, 16, 3, 1, 'ack', 'handled', '', ''];
    await run(settle, [...settleKeysOf(place().streams[0]), page()], ['g', 'a', 'log', SETTLED_PAGE_OFFSETS, '0', '0', 1_000, 0, ...args]);
    expect(await seek(10)).toEqual([expect.objectContaining({ to: 10, again: 6 })]);
    await tended();
    const kept = text!.slice(1, -1).split(',\n').slice(0, 10).filter((_, offset) => offset !== 3);
    expect((await copies()).map(([, , , , copy]) => copy)).toEqual(kept);
    expect(await bed.state(process, Single, 'g')).toMatchObject({ lag: 9 + 6 });
  });

  it('follows another seek, also when not all of its void messages are removed yet', async () => {
    await fail(1_300, HOUR_MS);
    await seek(1_000);
    await seek(0);
    expect(await isSwept()).toBe(false);
    await seek(200);
    expect([await isSwept(), await bed.command('ZCARD', place().groupKeys.open)]).toEqual([true, 0]);
    expect(await bed.state(process, Single, 'g')).toMatchObject({ lag: 1_100 });
  });
});
