import { describe, expect, it } from '@jest/globals';
import { fixed, Topic, topicOf } from '@millrace/core';
import { loadScript } from '@millrace/redis';
import { waitFor } from '@millrace/testing';
import { IsInt } from 'class-validator';
import { auditKeysOf } from '../src/inspect/auditor.js';
import { Bed } from './bed.js';
import { type Process, subscribe } from './fixture.js';
import { Numbered, numbers, Single } from './topics.js';

type Value = { value: number };

const audit = loadScript('../src/scripts/audit.lua', import.meta.url);
@Topic('test.small', { retention: { maxMessages: 3 } })
class Small {
  @IsInt() value!: number;
}

const bed = new Bed('dead-letters');
const retry = { attempts: 2, backoff: fixed('1ms'), deadLetterOn: [] };

interface Patient {
  readonly process: Process;
  readonly handled: number[];
  ill: boolean;
}

/** A group `g` that gives up everything while it is ill, and a group `other` that is well. */
async function patient(topic: typeof Single | typeof Numbered = Single): Promise<Patient> {
  const process = await bed.start();
  const result = { process, handled: [] as number[], ill: true };
  await subscribe(process, { topic, group: 'g', retry }, async ({ value }: Value) => {
    if (result.ill) throw new Error(`ill ${value}`);
    result.handled.push(value);
  });
  return result;
}

async function givenUp(one: Patient, count: number, topic: typeof Single | typeof Numbered = Single): Promise<void> {
  await one.process.publisher.publishMany(topic, numbers(count));
  await bed.drained(one.process, topic, 'g');
  one.ill = false;
}

/** No message is held or waits, and an audit finds no loss. */
async function allCountedFor(process: Process): Promise<void> {
  const idle = async (): Promise<boolean> => {
    const { pending, retrying } = await bed.state(process, Single, 'g');
    return pending + retrying === 0;
  };
  await waitFor(idle, { what: 'the group to have nothing in hand' });
  await process.redis.control.run(audit, auditKeysOf(bed.place(Single, 'g')), ['g']);
  expect(await bed.state(process, Single, 'g')).toMatchObject({ lag: 0, lost: 0 });
}

const sorted = (values: readonly number[]): number[] => [...values].sort((a, b) => a - b);

describe('redriving', () => {
  it('puts one, some or all dead letters back to the failing group only, as first attempts', async () => {
    const one = await patient(Numbered);
    const other: number[] = [];
    await subscribe(one.process, { topic: Numbered, group: 'other' }, async ({ value }: Value) => void other.push(value));
    await givenUp(one, 10, Numbered);
    const { deadLetters } = one.process.streams;
    const letters = await deadLetters.list(Numbered, 'g');
    expect(letters).toHaveLength(10);
    expect(await deadLetters.redrive(Numbered, 'g', { ids: [letters[3]!.id] })).toEqual({ redriven: 1, missing: [], unreadable: [] });
    expect(await deadLetters.redrive(Numbered, 'g', { all: true, partition: 0 })).toMatchObject({ missing: [] });
    await deadLetters.redrive(Numbered, 'g', { all: true });
    await bed.drained(one.process, Numbered, 'g');
    expect(sorted(one.handled)).toEqual(numbers(10).map(({ payload }) => payload.value));
    expect(await deadLetters.list(Numbered, 'g')).toEqual([]);
    expect(await bed.state(one.process, Numbered, 'g')).toMatchObject({ lag: 0, deadLettered: 10, redriven: 10, handled: 10 });
    expect(other).toHaveLength(10);
  });

  it('for a reason takes only dead letters with it, and lists the other reasons when there are none', async () => {
    const one = await patient();
    await bed.command('XADD', bed.place(Single, 'g').keys.log, '*', 'foreign', 'field');
    await givenUp(one, 3);
    const { deadLetters } = one.process.streams;
    const none = { redriven: 0, missing: [], unreadable: [], others: { MALFORMED_ENVELOPE: 1, ATTEMPTS_EXHAUSTED: 3 } };
    expect(await deadLetters.redrive(Single, 'g', { all: true, reason: 'CRASH_LOOP' })).toEqual(none);
    expect(await deadLetters.list(Single, 'g', { reason: 'MALFORMED_ENVELOPE' })).toHaveLength(1);
    const done = { redriven: 3, missing: [], unreadable: [] };
    expect(await deadLetters.redrive(Single, 'g', { all: true, reason: 'ATTEMPTS_EXHAUSTED' })).toEqual(done);
    expect((await deadLetters.list(Single, 'g')).map(({ reason }) => reason)).toEqual(['MALFORMED_ENVELOPE']);
    expect(await deadLetters.discard(Single, 'g', { all: true })).toEqual({ discarded: 1 });
    expect(await deadLetters.redrive(Single, 'g', { all: true, reason: 'CRASH_LOOP' })).toEqual({ redriven: 0, missing: [], unreadable: [] });
  });

  it('refuses an unknown reason, and names the most similar one, in every operation', async () => {
    const { deadLetters } = (await patient()).process.streams;
    const misspelt = { all: true, reason: 'ATTEMPT_EXHAUSTED' as never };
    const problem = { code: 'INVALID_OPTIONS', problems: ["reason 'ATTEMPT_EXHAUSTED' is not known: did you mean 'ATTEMPTS_EXHAUSTED'?"] };
    await expect(deadLetters.redrive(Single, 'g', misspelt)).rejects.toMatchObject(problem);
    await expect(deadLetters.discard(Single, 'g', misspelt)).rejects.toMatchObject(problem);
    await expect(deadLetters.list(Single, 'g', { reason: misspelt.reason })).rejects.toMatchObject(problem);
    await expect(deadLetters.list(Single, 'g', { reason: 5 as never })).rejects.toMatchObject({ problems: [expect.stringContaining('must be one of ATTEMPTS_')] });
  });

  it('R25 puts each dead letter back once, however often and by however many callers that is asked for', async () => {
    const one = await patient();
    await givenUp(one, 50);
    const { deadLetters } = one.process.streams;
    const ids = (await deadLetters.list(Single, 'g')).map(({ id }) => id);
    const results = await Promise.all([deadLetters.redrive(Single, 'g', { ids }), deadLetters.redrive(Single, 'g', { ids }), deadLetters.redrive(Single, 'g', { all: true })]);
    expect(results.reduce((sum, { redriven }) => sum + redriven, 0)).toBe(50);
    expect(await deadLetters.redrive(Single, 'g', { ids })).toEqual({ redriven: 0, missing: ids, unreadable: [] });
    await bed.drained(one.process, Single, 'g');
    expect(sorted(one.handled)).toEqual(numbers(50).map(({ payload }) => payload.value));
  });

  it('counts redriven messages in the lag until they are done, and gives them up again when they fail again', async () => {
    const one = await patient();
    await givenUp(one, 3);
    await one.process.stop();
    const admin = await bed.start();
    await admin.streams.deadLetters.redrive(Single, 'g', { all: true, rate: 1_000 });
    const { lag, lagSeconds } = await bed.state(admin, Single, 'g');
    expect(lag).toBe(3);
    expect(lagSeconds).toBeGreaterThan(0);
    await subscribe(admin, { topic: Single, group: 'g', retry }, () => Promise.reject(new Error('still ill')));
    await bed.drained(admin, Single, 'g');
    const letters = await admin.streams.deadLetters.list(Single, 'g');
    expect(letters.map(({ attempts, error }) => [attempts, error.message])).toEqual(Array(3).fill([2, 'still ill']));
  });

  it('counts a message once in the lag that was given up twice, and loses count of nothing', async () => {
    const one = await patient();
    const { process } = one;
    await givenUp(one, 1);
    one.ill = true;
    await process.streams.groups.seek(Single, 'g', { to: 'earliest' });
    await waitFor(async () => (await bed.deadLetters(process, Single, 'g')).length === 2, { what: 'it to be given up again' });
    await bed.drained(process, Single, 'g');
    one.ill = false;
    expect((await process.streams.deadLetters.redrive(Single, 'g', { all: true })).redriven).toBe(2);
    await bed.drained(process, Single, 'g');
    expect(one.handled).toEqual([0]);
    await allCountedFor(process);
  });

  it('counts a message once that waits for a retry and is redriven, too', async () => {
    const one = await patient();
    const { process } = one;
    await givenUp(one, 1);
    one.ill = true;
    await process.streams.groups.pause(Single, 'g');
    await process.streams.groups.seek(Single, 'g', { to: 'earliest' });
    await process.streams.deadLetters.redrive(Single, 'g', { all: true });
    await process.streams.groups.resume(Single, 'g');
    await waitFor(async () => (await bed.deadLetters(process, Single, 'g')).length > 0, { what: 'it to be given up again' });
    await allCountedFor(process);
  });

  it('puts them back as messages of the topic for every group, with the same ids', async () => {
    const one = await patient();
    const other: string[] = [];
    await subscribe(one.process, { topic: Single, group: 'other' }, async (_: Value, { messageId, offset }) => void other.push(`${messageId} ${offset}`));
    await givenUp(one, 2);
    await bed.drained(one.process, Single, 'other');
    await one.process.streams.deadLetters.redrive(Single, 'g', { all: true, to: 'topic' });
    await bed.drained(one.process, Single, 'g');
    await bed.drained(one.process, Single, 'other');
    const ids = other.map((text) => text.split(' ')[0]);
    expect(other.map((text) => text.split(' ')[1]).sort()).toEqual(['0', '1', '2', '3']);
    expect(new Set(ids).size).toBe(2);
    expect(sorted(one.handled)).toEqual([0, 1]);
  });

  it('redrives nothing to a topic that holds as much as its retention allows', async () => {
    const ill = await bed.start();
    await subscribe(ill, { topic: Small, group: 'g' }, () => Promise.reject(new Error('ill')));
    await ill.publisher.publish(Small, { value: 0 });
    await bed.drained(ill, Small, 'g');
    await ill.stop();
    const admin = await bed.start();
    for (const value of [1, 2]) await admin.publisher.publish(Small, { value });
    const { deadLetters } = admin.streams;
    expect(await deadLetters.redrive(Small, 'g', { all: true, to: 'topic' })).toMatchObject({ redriven: 1 });
    const other = await bed.start();
    await subscribe(other, { topic: Small, group: 'g', retry }, () => Promise.reject(new Error('ill')));
    await bed.drained(other, Small, 'g');
    await other.stop();
    for (const value of [3, 4, 5]) await admin.publisher.publish(Small, { value });
    const refused = { code: 'BACK_PRESSURE', message: expect.stringContaining("Group 'g' has not settled its oldest message") };
    await expect(deadLetters.redrive(Small, 'g', { all: true, to: 'topic' })).rejects.toMatchObject(refused);
    expect(await deadLetters.list(Small, 'g')).toHaveLength(3);
  });

  it.each([
    ['has room for some of them', 'reject', 1],
    ['lets its oldest messages go, and holds fewer than there are', 'drop-oldest', 7],
  ] as const)('redrives as many as fit to a topic that %s', async (_, overflow, redriven) => {
    @Topic('test.narrow', { retention: { maxMessages: 5, overflow } })
    class Narrow {
      @IsInt() value!: number;
    }
    const [process, ill] = [await bed.start(), await bed.start()];
    await subscribe(ill, { topic: Narrow, group: 'g' }, () => Promise.reject(new Error('ill')));
    for (let value = 0; value < 7; value += 1) {
      await process.publisher.publish(Narrow, { value });
      await bed.drained(ill, Narrow, 'g');
    }
    await ill.stop();
    for (let value = 7; value < 11; value += 1) await process.publisher.publish(Narrow, { value });
    const { deadLetters } = process.streams;
    const redriving = deadLetters.redrive(Narrow, 'g', { all: true, to: 'topic' });
    if (overflow === 'reject') await expect(redriving).rejects.toMatchObject({ code: 'BACK_PRESSURE' });
    else expect(await redriving).toMatchObject({ redriven });
    expect(await bed.command('XLEN', bed.place(Narrow, 'g').keys.log)).toBe(5);
    expect(await deadLetters.list(Narrow, 'g')).toHaveLength(7 - redriven);
  });

  it('goes on when `again` is gone', async () => {
    const one = await patient();
    await givenUp(one, 1);
    await one.process.stop();
    await bed.command('DEL', bed.place(Single, 'g').groupKeys.again);
    const admin = await bed.start();
    expect(await admin.streams.deadLetters.redrive(Single, 'g', { all: true })).toMatchObject({ redriven: 1 });
    expect((await bed.state(admin, Single, 'g')).lag).toBe(1);
  });

  it('does not redrive to the topic what no group could read', async () => {
    const one = await patient();
    await bed.command('XADD', bed.place(Single, 'g').keys.log, '*', 'foreign', 'field');
    await waitFor(async () => (await one.process.streams.deadLetters.list(Single, 'g')).length === 1, { what: 'the dead letter' });
    const [letter] = await one.process.streams.deadLetters.list(Single, 'g');
    const ids = [letter!.id];
    expect(await one.process.streams.deadLetters.redrive(Single, 'g', { ids, to: 'topic' })).toEqual({ redriven: 0, missing: [], unreadable: ids });
    expect(await one.process.streams.deadLetters.redrive(Single, 'g', { ids })).toMatchObject({ redriven: 1 });
    await waitFor(async () => (await one.process.streams.deadLetters.list(Single, 'g')).length === 1, { what: 'it to be given up again' });
    expect((await bed.state(one.process, Single, 'g')).lag).toBe(0);
  });
});

describe('discarding', () => {
  it('removes the selected dead letters, and no others', async () => {
    const one = await patient();
    await givenUp(one, 5);
    const { deadLetters } = one.process.streams;
    const [first] = await deadLetters.list(Single, 'g', { limit: 1 });
    expect(await deadLetters.discard(Single, 'g', { ids: [first!.id, first!.id] })).toEqual({ discarded: 1 });
    expect(await deadLetters.discard(Single, 'g', { all: true, reason: 'CRASH_LOOP' })).toEqual({ discarded: 0, others: { ATTEMPTS_EXHAUSTED: 4 } });
    expect(await deadLetters.discard(Single, 'g', { all: true })).toEqual({ discarded: 4 });
  });
});

describe('a selection that is refused', () => {
  it.each<[string, object, string]>([
    ['nothing', {}, 'INVALID_OPTIONS'],
    ['both', { all: true, ids: ['0:1-1'] }, 'INVALID_OPTIONS'],
    ['a foreign id', { ids: ['1-1'] }, 'INVALID_OPTIONS'],
    ['an id that is in no list', { ids: '0:1-1' }, 'INVALID_OPTIONS'],
    ['an id that Redis does not take', { ids: ['0:99999999999999999999-1'] }, 'INVALID_OPTIONS'],
    ['a partition that is not there', { all: true, partition: 1 }, 'INVALID_OPTIONS'],
    ['a rate of none', { all: true, rate: 0 }, 'INVALID_OPTIONS'],
    ['an unknown option', { all: true, grup: 1 }, 'INVALID_OPTIONS'],
  ])('%s', async (_, options, code) => {
    const one = await patient();
    await expect(one.process.streams.deadLetters.redrive(Single, 'g', options)).rejects.toMatchObject({ code });
  });

  it('a group that nobody knows', async () => {
    const process = await bed.start();
    await process.streams.declare(topicOf(Single));
    const { deadLetters, inspector } = process.streams;
    for (const group of ['misspelt', undefined as never, {} as never]) {
      await expect(deadLetters.list(Single, group)).rejects.toMatchObject({ code: 'UNKNOWN_GROUP' });
      await expect(inspector.deadLetters(Single, group)).rejects.toMatchObject({ code: 'UNKNOWN_GROUP' });
      await expect(inspector.group(Single, group)).rejects.toMatchObject({ code: 'UNKNOWN_GROUP' });
    }
  });

  const TO_DO = 'A group is there once a process that subscribes to it has started: start one, or correct the name.';

  it('a misspelt group, naming the most similar one of the topic', async () => {
    const { streams } = (await patient()).process;
    const text = `Topic '${topicOf(Single).name}' has no group 'gg' here: did you mean 'g'? ${TO_DO}`;
    const refusal = { code: 'UNKNOWN_GROUP', message: text };
    await expect(streams.inspector.group(Single, 'gg')).rejects.toMatchObject(refusal);
    await expect(streams.deadLetters.list(Single, 'gg')).rejects.toMatchObject(refusal);
    await expect(streams.groups.pause(Single, 'far-away')).rejects.toThrow(`no group 'far-away' here; known are g.`);
  });

  it('a payload in the place of its topic, or a limit that is none', async () => {
    const { deadLetters, inspector } = (await patient()).process.streams;
    await expect(deadLetters.list(new Single() as never, 'g')).rejects.toMatchObject({ code: 'NOT_A_TOPIC' });
    await expect(inspector.group({} as never, 'g')).rejects.toMatchObject({ code: 'NOT_A_TOPIC' });
    await expect(inspector.deadLetters(Single, 'g', Number.NaN)).rejects.toMatchObject({ code: 'INVALID_OPTIONS' });
  });
});
