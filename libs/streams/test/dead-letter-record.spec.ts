import { describe, expect, it } from '@jest/globals';
import { type DeliveryContext, fixed } from '@millrace/core';
import { waitFor } from '@millrace/testing';
import { Bed } from './bed.js';
import { type Process, subscribe } from './fixture.js';
import { numbers, Numbered, Single } from './topics.js';

type Value = { value: number };

const bed = new Bed('dead-letter-record');
const retry = { attempts: 1, backoff: fixed('1ms'), deadLetterOn: [] };

interface Patient {
  readonly process: Process;
  readonly handled: string[];
  ill: boolean;
}

async function patient(): Promise<Patient> {
  const process = await bed.start();
  const result = { process, handled: [] as string[], ill: true };
  await subscribe(process, { topic: Single, group: 'g', retry }, async ({ value }: Value, { redriven, redelivered }: DeliveryContext) => {
    if (result.ill) throw new Error(`ill ${value}`);
    result.handled.push(`${value} ${redriven} ${redelivered}`);
  });
  return result;
}

async function givenUp(one: Patient, count: number): Promise<void> {
  one.ill = true;
  await one.process.publisher.publishMany(Single, numbers(count));
  await bed.drained(one.process, Single, 'g');
}

const dead = (): string => bed.place(Single, 'g').groupKeys.dead;

/** Adds a foreign entry to the dead letters. @returns its id as a dead letter */
async function foreign(...fields: string[]): Promise<string> {
  return `0:${String(await bed.command('XADD', dead(), '*', ...fields))}`;
}

describe('the record of a dead letter', () => {
  it('has the payload as an object, the times as dates, and the options that the message was published with', async () => {
    const one = await patient();
    const before = Date.now();
    const { id } = await one.process.publisher.publish(Single, { value: 7 }, { headers: { from: 'test' } });
    await bed.drained(one.process, Single, 'g');
    const [record] = await one.process.streams.deadLetters.list(Single, 'g');
    expect(record).toMatchObject({ messageId: id, key: null, headers: { from: 'test' }, payload: { value: 7 }, redriven: 0, reason: 'ATTEMPTS_EXHAUSTED' });
    const times = [record!.publishedAt!, record!.firstFailedAt, record!.deadLetteredAt];
    for (const time of times) {
      expect(time).toBeInstanceOf(Date);
      expect(time.getTime()).toBeGreaterThanOrEqual(before);
      expect(time.getTime()).toBeLessThanOrEqual(Date.now());
    }
    expect(record).not.toHaveProperty('fields');
    expect(await one.process.streams.inspector.deadLetters(Single, 'g')).toEqual([record]);
  });

  it.each(['group', 'topic'] as const)('says how often the message was redriven to the %s, and so does the context of its handler', async (to) => {
    const one = await patient();
    await givenUp(one, 1);
    const { deadLetters } = one.process.streams;
    for (const redriven of [1, 2]) {
      await deadLetters.redrive(Single, 'g', { all: true, to });
      const isBack = async (): Promise<boolean> => (await deadLetters.list(Single, 'g'))[0]?.redriven === redriven;
      await waitFor(isBack, { what: 'it to be given up again' });
    }
    one.ill = false;
    await deadLetters.redrive(Single, 'g', { all: true, to });
    await waitFor(() => one.handled.length === 1, { what: 'it to be handled' });
    await one.process.publisher.publish(Single, { value: 1 });
    await waitFor(() => one.handled.length === 2, { what: 'the new one to be handled' });
    expect(one.handled).toEqual(['0 3 true', '1 0 false']);
  });

  it('is counted while it exists, beside the count of all dead letters ever', async () => {
    const one = await patient();
    const { deadLetters } = one.process.streams;
    await givenUp(one, 5);
    await foreign('foreign', 'field');
    expect([await deadLetters.count(Single, 'g'), await bed.state(one.process, Single, 'g')]).toMatchObject([6, { deadLettered: 5, deadLetters: 6 }]);
    const [first, second] = await deadLetters.list(Single, 'g');
    one.ill = false;
    await deadLetters.discard(Single, 'g', { ids: [first!.id] });
    await deadLetters.redrive(Single, 'g', { ids: [second!.id] });
    await bed.drained(one.process, Single, 'g');
    expect([await deadLetters.count(Single, 'g'), await bed.state(one.process, Single, 'g')]).toMatchObject([4, { deadLettered: 5, deadLetters: 4 }]);
    await expect(deadLetters.count(Single, 'nobody')).rejects.toMatchObject({ code: 'UNKNOWN_GROUP' });
  });

  it('is read in a list of the wanted length, the oldest first', async () => {
    const one = await patient();
    await givenUp(one, 250);
    const { deadLetters, inspector } = one.process.streams;
    const all = await deadLetters.list(Single, 'g', { limit: 1_000 });
    expect(all).toHaveLength(250);
    for (const limit of [1, 100, 150, 250, 1_000]) expect(await inspector.deadLetters(Single, 'g', limit)).toEqual(all.slice(0, limit));
  });

  it('is counted over all partitions', async () => {
    const process = await bed.start();
    await subscribe(process, { topic: Numbered, group: 'g', retry }, () => Promise.reject(new Error('ill')));
    await process.publisher.publishMany(Numbered, numbers(20));
    await bed.drained(process, Numbered, 'g');
    expect(await process.streams.deadLetters.count(Numbered, 'g')).toBe(20);
  });
});

const origin = { topic: 'test.single', partition: 0, offset: 0, group: 'g' };
const good = { reason: 'ATTEMPTS_EXHAUSTED', error: { name: 'E', message: 'm' }, attempts: 1, crashes: 0, publishedAt: 1, firstFailedAt: 1, deadLetteredAt: 1, origin };
const envelope = '[1,"01900000-0000-7000-8000-000000000000",null,null,null,{"value":9}]';
const reasonWith = (change: object): string[] => ['m', envelope, 'e', JSON.stringify({ ...good, ...change })];

const unreadable: [what: string, fields: string[]][] = [
  ['of another program', ['foreign', 'field']],
  ['without a reason', ['m', envelope]],
  ['without a message', ['e', JSON.stringify(good)]],
  ['whose reason is cut off', ['m', envelope, 'e', JSON.stringify(good).slice(0, -20)]],
  ['whose reason is empty', ['m', envelope, 'e', '']],
  ['whose reason is null', ['m', envelope, 'e', 'null']],
  ['whose reason is a list', ['m', envelope, 'e', '[1]']],
  ['without its error', reasonWith({ error: null })],
  ['without its origin', reasonWith({ origin: undefined })],
  ['with an offset that is text', reasonWith({ origin: { ...origin, offset: '0' } })],
  ['with times that are none', reasonWith({ firstFailedAt: 'yesterday' })],
  ['with a time that is too high for a date', reasonWith({ deadLetteredAt: 1e300 })],
  ['with counts that are none', reasonWith({ attempts: -1 })],
  ['with an unknown reason', reasonWith({ reason: '__proto__' })],
  ['of bytes that are no text', ['\0\u0001', '\ufffd\0', 'm', '\0', 'e', '\0']],
  ['with a thousand fields', Array.from({ length: 2_000 }, (_, index) => `f${index}`)],
  ['of a megabyte', ['m', 'x'.repeat(1_000_000), 'e', 'x'.repeat(1_000_000)]],
];

describe('an entry among the dead letters that cannot be read', () => {
  it.each(unreadable)('%s is listed as unreadable, and can be discarded; other dead letters are not affected', async (_, fields) => {
    const one = await patient();
    const { deadLetters, inspector } = one.process.streams;
    await givenUp(one, 1);
    const bad = await foreign(...fields);
    await givenUp(one, 1);
    one.ill = false;
    const [first, second, third] = await deadLetters.list(Single, 'g');
    expect([first!.reason, second!.reason, third!.reason]).toEqual(['ATTEMPTS_EXHAUSTED', 'UNREADABLE', 'ATTEMPTS_EXHAUSTED']);
    expect(second).toMatchObject({ id: bad, error: { code: 'MALFORMED_ENVELOPE' }, origin: { offset: -1 }, deadLetteredAt: expect.any(Date) });
    expect(second!.fields![0]).toEqual([fields[0], fields[1]!.slice(0, 2_000) + (fields[1]!.length > 2_000 ? '…' : '')]);
    expect(second!.fields!.length).toBeLessThanOrEqual(20);
    expect(await deadLetters.list(Single, 'g', { reason: 'UNREADABLE' })).toEqual([second]);
    expect(await deadLetters.list(Single, 'g', { ids: [bad] })).toEqual([second]);
    expect(await inspector.deadLetters(Single, 'g')).toEqual([first, second, third]);
    for (const to of ['group', 'topic'] as const) {
      expect(await deadLetters.redrive(Single, 'g', { ids: [bad], to })).toEqual({ redriven: 0, missing: [], unreadable: [bad] });
    }
    expect(await deadLetters.redrive(Single, 'g', { all: true })).toEqual({ redriven: 2, missing: [], unreadable: [bad] });
    await waitFor(() => one.handled.length === 2, { what: 'the others to be handled' });
    expect(await deadLetters.discard(Single, 'g', { ids: [bad] })).toEqual({ discarded: 1 });
    expect(await deadLetters.count(Single, 'g')).toBe(0);
  });

  it('has a date, however high its id is', async () => {
    const { process } = await patient();
    await bed.command('XADD', dead(), '9999999999999999999-1', 'foreign', 'field');
    const [found] = await process.streams.deadLetters.list(Single, 'g');
    expect(found!.deadLetteredAt.toISOString()).toBe('+275760-09-13T00:00:00.000Z');
  });

  it.each([
    ['cut off', envelope.slice(0, -9)],
    ['two of them', `${envelope},\n${envelope}`],
    ['one in two lines', envelope.replace(',', ',\n')],
  ])('is not redriven to the topic when its message is %s: no group could settle it', async (_, damaged) => {
    const one = await patient();
    const { deadLetters } = one.process.streams;
    await givenUp(one, 1);
    const bad = await foreign('m', damaged, 'e', JSON.stringify(good));
    one.ill = false;
    expect(await deadLetters.redrive(Single, 'g', { all: true, to: 'topic' })).toEqual({ redriven: 1, missing: [], unreadable: [bad] });
    await bed.drained(one.process, Single, 'g');
    expect(await deadLetters.count(Single, 'g')).toBe(1);
    expect(one.handled).toHaveLength(1);
  });

  it('is discarded with all other dead letters, and with all of its reason', async () => {
    const one = await patient();
    const { deadLetters } = one.process.streams;
    await givenUp(one, 2);
    for (const [, fields] of unreadable.slice(0, 3)) await foreign(...fields);
    expect(await deadLetters.redrive(Single, 'g', { all: true, reason: 'CRASH_LOOP' })).toMatchObject({ others: { UNREADABLE: 3, ATTEMPTS_EXHAUSTED: 2 } });
    expect(await deadLetters.discard(Single, 'g', { all: true, reason: 'UNREADABLE' })).toEqual({ discarded: 3 });
    await foreign('foreign', 'field');
    expect(await deadLetters.discard(Single, 'g', { all: true })).toEqual({ discarded: 3 });
  });
});

describe('the operators of dead letters', () => {
  const ids = (count: number): string[] => Array.from({ length: count }, (_, index) => `0:1726000000000-${index}`);

  it('take a thousand ids in one call, and refuse more', async () => {
    const { deadLetters } = (await patient()).process.streams;
    expect(await deadLetters.redrive(Single, 'g', { ids: ids(1_000) })).toMatchObject({ redriven: 0, missing: { length: 1_000 } });
    const problem = { code: 'INVALID_OPTIONS', problems: ['ids must name 1000 dead letters at the most, not 300000: ask for them in parts'] };
    const many = ids(300_000);
    await expect(deadLetters.list(Single, 'g', { ids: many })).rejects.toMatchObject(problem);
    await expect(deadLetters.redrive(Single, 'g', { ids: many })).rejects.toMatchObject(problem);
    await expect(deadLetters.discard(Single, 'g', { ids: many })).rejects.toMatchObject(problem);
  });

  it('read ten thousand dead letters at the most in one call', async () => {
    const { deadLetters, inspector } = (await patient()).process.streams;
    for (const limit of [0, 10_001, 1.5, '5' as never]) {
      await expect(deadLetters.list(Single, 'g', { limit })).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
      await expect(inspector.deadLetters(Single, 'g', limit)).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
    }
  });
});
